"""Learn a table and write one like it, of rows that nobody has: python examples/synthetic_table.py TABLE

TABLE is a CSV or Parquet file.
"""

import sys

import hourglass as hg

table = hg.read(sys.argv[1])
model = hg.VariationalAutoencoder(max_seconds=60, random_state=0, verbose=True).fit(table)
model.fit_sampler(table, random_state=0)
print("samples come from", model.sampler_)

made = model.sample(len(table), random_state=0)
print(made.describe())
print(f"{model.nearest(made, table)['copy'].mean():.1%} of the rows are copies of real ones")
hg.write("synthetic.parquet", made)
