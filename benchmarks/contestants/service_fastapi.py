"""The same model behind a plain FastAPI route, as its tutorial has it: a function in FastAPI's threads, a call for each request."""

import sys

from benchmarks.service import ADDRESS, measure


def serve(path: str, port: int) -> None:
    import numpy as np
    import uvicorn
    from fastapi import FastAPI
    from pydantic import BaseModel

    import hourglass as hg

    app, model = FastAPI(), hg.load(path)

    class Rows(BaseModel):
        rows: list[list[list[int]]]

    @app.post(ADDRESS)
    def score(asked: Rows) -> dict[str, list[float]]:
        return {"score": model.score_samples(np.array(asked.rows, np.uint8)).tolist()}

    uvicorn.run(app, port=port, access_log=False)


if len(sys.argv) > 1:
    serve(sys.argv[1], int(sys.argv[3]))
else:
    measure([sys.executable, "-m", "benchmarks.contestants.service_fastapi"])
