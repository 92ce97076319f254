"""Fine-tuning from the command line: `python -m chatterbox_worker.train`. What it learns with is in engines/chatterbox/training."""
