"""Make the machine image of a challenge: documents, catalogue, builds, choice of image.

Import the modules by name. `documents` and `catalogue` reach no cloud; `build` and `images` take the door to it as an
argument.
"""
