"""The programs that keep a cluster: each a process of its own, which ends what it started when nobody asks any more."""
