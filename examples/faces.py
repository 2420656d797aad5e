"""Learn faces, draw new ones, and turn one face into another: python examples/faces.py FACES

FACES is a .npz of pictures of one size, such as lfw_aligned_64.npz, or a folder of them.
"""

import sys

import numpy as np

import hourglass as hg

faces = hg.read(sys.argv[1])
model = hg.VariationalAutoencoder(
    64, encoder="convolutional", decoder="convolutional", max_seconds=600, random_state=0, verbose=True
)
model.fit(faces)
model.fit_sampler(faces, random_state=0)
print("samples come from", model.sampler_)
model.save("faces.safetensors")

hg.write("new_faces", model.sample(24, random_state=1))
ways = [model.interpolate(faces[a], faces[b], steps=8, path="spherical") for a, b in ((0, 1), (2, 3), (4, 5))]
hg.write("morphs", np.concatenate(ways))
