"""`python -m chatterbox_worker.batch rows.jsonl -o out/`: many texts into files, through this machine's engine or an endpoint.

    rows       a JSON-lines or CSV file or a folder of texts becomes rows, each checked; a bad one is named and left out
    manifest   what became of each row, one JSON line each, written so that a kill at any moment loses nothing
    speakers   the local engine, or an endpoint of RunPod's queue
    run        the loop: some rows in flight, what may be tried again is

A row is known by the digest of its id and request: the same command goes on where it was ended, and a row that was
changed is spoken anew.
"""
