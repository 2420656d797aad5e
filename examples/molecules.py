"""Learn from molecules, draw new ones, and walk from one to another: python examples/molecules.py zinc250k_smiles.txt.gz

The file has a SMILES on each line. It takes the extra `molecules`.
"""

import sys

import hourglass as hg

molecules = hg.read(sys.argv[1])[:20_000]
model = hg.VariationalAutoencoder(kind="molecule", max_seconds=300, random_state=0, verbose=True).fit(molecules)
bound = model.elbo(molecules[:1000], random_state=0)
print(f"{hg.metrics.exact(model, molecules[:1000]):.1%} are rebuilt exactly, of codes that say {bound.kl.mean():.1f} nats")

made = model.sample(1000, random_state=0)
print(f"{len(set(made)):,} different ones of 1,000, for example {', '.join(made[:3])}")
print("from", molecules[0], "to", molecules[1], "by way of", *model.interpolate(molecules[:2], steps=5)[1:-1])
hg.write("new.smi", made)
