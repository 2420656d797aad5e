"""The plain autoencoder."""

from __future__ import annotations

from hourglass.estimators.generating import GeneratingAutoencoder


class Autoencoder(GeneratingAutoencoder):
    """Squeeze data through a narrow waist and rebuild it.

    Parameters
    ----------
    bottleneck : int or bottleneck part, optional
        How many numbers are kept of each row: an int, or a part such as ``TopK(256, k=16)``. Unless given 32, but of tables and
        series at most half as many as a row has numbers.
    kind : str or Series, optional
        "table", "image", "series", "token", "words", "molecule" or "melody", or a `Series` or `Melodies`, which say more; inferred
        from the data unless given.
    columns : dict of str to str, optional
        What columns of a table are, where it is not to be found out: "numeric", "boolean", "categorical", "datetime",
        "identifier", "left out"; of series "time", "id", "value".
    encoder, decoder : "dense", "convolutional", "temporal", "causal", "one-shot", "recurrent", network part, torch module or \
    function, optional
        The networks on either side of the waist: dense, or of rows of symbols causal, unless given. A module of your own takes
        (batch, columns) for a table, (batch, channels, time) for series and (batch, channels, height, width) for images, scaled; a
        function gets the shape of an element and the number of codes and returns a module.
    corruption : corruption part or text, optional
        What is damaged on purpose before encoding, such as ``Noise(0.1)`` or "noise:25", see `corruption`. Of a table with gaps
        some cells are hidden unless something else is given, so that the model learns what belongs there.
    likelihood : likelihood part, optional
        How far the output is from the input; ``Gaussian()``, the squared error, unless given; of tables with categories or gaps
        ``Mixed()``, of rows of symbols ``Categorical()``.
    objective : {"elbo", "importance-weighted", "total-correlation", "capacity"} or objective part, optional
        What training minimises: the negative log-likelihood plus the cost of the waist, "elbo", unless given. The others need
        a ``Variational`` waist.
    hidden : tuple of int, optional
        Widths of the encoder's layers, dense or convolutional, mirrored in the decoder; chosen from the sizes unless given.
    max_epochs : int, optional
        How often training goes over the data at most; chosen from the number of rows unless this or ``max_seconds`` is given.
    max_seconds : float, optional
        How long training takes at most; the learning rate's schedule is tied to it.
    batch_size : int, optional
        Rows a step; chosen from the number of rows unless given.
    optimizer : {"adam", "muon"}, optional
        Adam, or Muon for matrices and filters with Adam for the rest. Unless given Muon for restorers and rows of symbols, Adam for
        all else, as was measured to be best.
    learning_rate : float, optional
        The highest rate of the schedule: 0.01 for convolutional networks, 0.005 for dense and temporal ones, 0.006 for rows of
        symbols, 0.002 for restorers unless given.
    schedule : {"one-cycle", "cosine", "constant"}, optional
        How the rate moves between first and last step: "one-cycle", for a restorer "cosine", unless given.
    validation_fraction : float, default=0.1
        Share of the rows held out to choose the best weights by and to stop early; none of fewer than 10 rows.
    patience : int, optional
        Epochs without a better held-out loss after which training stops; a quarter of all epochs, at least 10, unless given.
    gradient_clip : float, optional
        Largest norm of the gradient (of the loss in nats an example).
    checkpoint : str or path, optional
        A file that holds the run after each epoch. If it exists, ``fit`` goes on from there, and gives the same numbers as if it
        had never been stopped; it is removed when training has ended. It is for one run: candidates of a grid search need none.
    device : str, optional
        "cpu", "cuda" ...; a GPU where there is one unless given.
    random_state : int, RandomState or Generator, optional
        Seed of everything that is drawn: the same seed gives the same numbers.
    callbacks : tuple of functions, default=()
        Called as ``callback(estimator, epoch)`` after each epoch; one that returns True stops training.
    verbose : bool, default=False
        Show a line of progress while training.

    Attributes
    ----------
    encoder_, bottleneck_, decoder_ : torch.nn.Module
        The three fitted parts.
    model_ : torch.nn.Module
        The whole of them, with scaling and likelihood.
    kind_ : Kind
        What the data was taken for.
    history_ : list of dict
        One record an epoch: epoch, train and validation (nats an example), seconds, examples_per_second, learning_rate, dead (the
        share of units that no longer learn), kl (of a variational waist, nats that codes tell), see `docs/guide/training.md`.
    best_epoch_ : int
        The epoch whose weights are kept: that of the lowest held-out loss, 0 for the start; without held-out rows the last one.
    start_loss_ : float or None
        The held-out loss before the first step, nats an example; None without held-out rows.
    n_features_in_ : int
        How many numbers a row has.
    feature_names_in_ : ndarray of str
        Names of the columns, where the data had some.
    sampler_ : Sampler or None
        What ``fit_sampler`` fitted to the codes.

    References
    ----------
    Hinton and Salakhutdinov, "Reducing the Dimensionality of Data with Neural Networks", Science 313, 2006.

    Examples
    --------
    >>> import hourglass as hg
    >>> digits = hg.datasets.load("digits")
    >>> ae = hg.Autoencoder(32, max_epochs=2, random_state=0).fit(digits.x_train)
    >>> ae.transform(digits.x_test).shape
    (1000, 32)
    >>> ae.reconstruct(digits.x_test).shape
    (1000, 28, 28)
    """
