"""Building the image, and checking that it works."""
