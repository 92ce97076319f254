"""In front of a RunPod queue: requests become jobs, jobs' answers and errors the server's own."""
