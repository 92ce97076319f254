"""`python -m chatterbox_worker.batch rows.jsonl -o out/`: many texts into files, on this machine or an endpoint.

    rows       reads a JSON-lines or CSV file or a folder of texts and checks each row; an invalid one is reported
    books      reads a book, each chapter a row: book (chapters and their parts), headings (markdown and text files),
               epub, with epub_package (its files, within limits), epub_contents and xhtml
    manifest   the result of each row, one JSON line per row, written so that a kill at any moment loses nothing
    backends   the local engine, or an endpoint of RunPod's queue; http_server: an HTTP server
    run        the loop: a limited number of rows in flight, with retries
    spending   what a run took of an endpoint's workers
    audiobook  the rows' files as one m4b

A row is identified by the digest of its id and request: the same command continues a run that was ended, and a row that
has changed is synthesized again.
"""
