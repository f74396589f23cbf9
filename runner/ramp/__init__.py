"""What runs in the environment of a RAMP deployment, on its libraries, instead of in ours."""
