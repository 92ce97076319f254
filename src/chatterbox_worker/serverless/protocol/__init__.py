"""RunPod's protocol for workers, where the SDK's own part of it loses jobs, answers or time: takes and posts.

The SDK (1.12) goes on running the loop, the heartbeat and the stop signals. What is relied on beyond its documented
surface, held by tests/serverless/protocol/test_sdk.py:

* `rp_scale.JobScaler`, looked up by name when the SDK starts: its `run_jobs` and `set_scale` (`scaler`);
* `rp_scale.get_job`, looked up by name when the scaler is created, and `rp_job._job_get_url`, which builds its URL;
* `rp_job.send_result` and `rp_job.stream_result`, looked up by name for each result by `rp_job.handle_job`;
* `rp_http.JOB_DONE_URL_TEMPLATE` and `JOB_STREAM_URL_TEMPLATE`, with `$RUNPOD_POD_ID` and `$ID`;
* that the object which a handler returns is the `output` of what is posted, and not a copy of it.
"""
