"""Supervise one job on a host to its end, inside the strongest walls the host can build.

Standard library only, Python 3.8 or newer, Linux or (with less) macOS: this folder is pushed beside the submission and
run by the host's own Python, with `-I -B` and the folder's name. In a job folder it keeps `lock` (held while the job
lives), `supervisor` (its process id), `log` (capped output) and at the end `exit` (JSON of contracts.work.JobExit).
"""
