"""What the image is built with, and what proves that it works."""
