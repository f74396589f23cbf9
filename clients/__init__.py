"""The doors to the outside: SSH, this machine, AWS, with the fakes that stand in for them."""
