"""The canary's submission: it tries what a hostile one would, and says how each attempt ended.

Standard library only, Python 3.8 or newer: pushed as a submission's code and run by the host's own Python. Whatever
succeeds does no harm: what is opened is not read further than it takes to know, what is made is removed.
"""
