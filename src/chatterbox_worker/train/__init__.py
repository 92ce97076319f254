"""Fine-tuning from the command line: `python -m chatterbox_worker.train`.

The training itself is in engines/chatterbox/training.
"""
