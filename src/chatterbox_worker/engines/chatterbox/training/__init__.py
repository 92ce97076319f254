"""Learning a voice: a LoRA on upstream's T3. Needs the `train` extra; nothing that serves imports it."""
