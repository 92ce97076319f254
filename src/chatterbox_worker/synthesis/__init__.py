"""A request becomes a plan, a plan becomes takes, and the takes one recording or stream."""
