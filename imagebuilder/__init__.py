"""Make the machine image of a challenge.

`catalogue` says which of the `components` an event's image is made of, `documents` reads and writes them, `lint` looks
at them; these reach no cloud. `building` drives a pipeline, `bake` makes the same image over SSH, by `running` the
documents on a machine from `renting`; `verify`, `images` and `retiring` look at images, choose one and remove some.
These take the door to the cloud as an argument.
"""
