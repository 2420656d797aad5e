"""Learn from tunes, draw new ones, lead from one to another, go on with one: python examples/melodies.py tunes.zip

The file or folder has tunes in ABC or MIDI; without one a few jigs are made up here.
It takes the extra `melodies`, as it writes MIDI.
"""

import random
import sys

import hourglass as hg

SCALE = [62, 64, 66, 67, 69, 71, 72, 74, 76, 78, 79]  # of G, from D to G
TURNS = [(0, 2, 4), (4, 2, 0), (0, 1, 2), (2, 1, 0), (0, 2, 0), (4, 3, 2)]  # of three eighths, in steps of the scale


def jig(chance: random.Random) -> hg.Melody:
    """Eight bars of 6/8 in G, made of turns on D, G, A and C, which come home."""
    steps = [root + step for root in chance.choices([0, 3, 4, 6], k=15) for step in chance.choice(TURNS)]
    notes = [(SCALE[step], 2 * eighth, 2) for eighth, step in enumerate(steps)]
    return hg.Melody([*notes, (67, 90, 6)], "6/8", "G", "A jig")


if len(sys.argv) > 1:
    tunes, seconds = hg.read(sys.argv[1]), 600
else:
    tunes, seconds = [jig(random.Random(seed)) for seed in range(100)], 60
held_out, learned = tunes[::10], [tune for number, tune in enumerate(tunes) if number % 10]
model = hg.VariationalAutoencoder(max_seconds=seconds, random_state=0, verbose=True).fit(learned)
model.fit_sampler(learned, random_state=0)
print(f"{hg.metrics.exact(model, held_out):.1%} of the windows of other tunes are rebuilt without a fault")
print(hg.quality(model, learned, held_out))

new = model.sample(8, random_state=0)
hg.write("new", new)  # a folder: each as MIDI and as WAV
hg.plots.piano_rolls(new).savefig("new.png", dpi=200)
first = held_out[0]
second = next((tune for tune in held_out[1:] if tune.metre == first.metre), first.transposed(5))
hg.write("way.wav", model.interpolate(first.cut(0, 4), second.cut(0, 4), steps=5))
hg.continued(model, first.cut(0, 4), bars=4, random_state=0).write("longer.wav")
print("Listen to new/, way.wav and longer.wav; new.png shows what is new.")
