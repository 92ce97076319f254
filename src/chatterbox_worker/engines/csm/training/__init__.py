"""Fine-tuning of CSM: an adapter of its backbone and its depth decoder, trained with transformers' own loss."""
