"""Learn from molecules, draw new ones and judge them, and look for better ones: python examples/molecules.py zinc250k_smiles.txt.gz

The file has a SMILES on each line. It takes the extra `molecules`.
"""

import sys

import hourglass as hg

molecules = hg.read(sys.argv[1], skip_bad=True)[:20_000]
held_out, learned = molecules[::10], [one for row, one in enumerate(molecules) if row % 10]
model = hg.VariationalAutoencoder(kind="molecule", max_seconds=300, random_state=0, verbose=True).fit(learned)
print(hg.quality(model, learned, held_out))

made = model.sample(12, random_state=0)
hg.write("new.smi", made)
hg.plots.nearest(model, learned).savefig("new.png")
print("from", molecules[0], "to", molecules[1], "by way of", *model.interpolate(molecules[:2], steps=5)[1:-1])
print(hg.neighbours(model, molecules[0], radius=3, n=5, random_state=0))


def drug_likeness(rows):
    return hg.chemistry.properties(rows)["QED"]


better = hg.optimise(model, drug_likeness, learned, n=8, random_state=0)
hg.write("better.csv", better)
print(better)
