"""An AWS one can hold in the hand: real hosts behind an AWS API on loopback."""
