"""Training a voice: a LoRA on upstream's T3. Needs the `train` extra; serving code does not import it."""
