"""skl2onnx converts the best estimator, which the guide says to pass."""

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RandomizedSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_refine import RefiningGridSearchCV, SuccessiveRandomSearchCV

WHY = "install the dependency group 'neighbours' to run this"
skl2onnx = pytest.importorskip("skl2onnx", reason=WHY)
onnxruntime = pytest.importorskip("onnxruntime", reason=WHY)
pytestmark = pytest.mark.filterwarnings("ignore")

X, Y = load_iris(return_X_y=True)
X = X.astype(np.float32)
SEARCHES = {
    "grid": RefiningGridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}),
    "random": SuccessiveRandomSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression()),
        {"logisticregression__C": loguniform(1e-2, 1e2)},
        n_iter=6,
        random_state=0,
    ),
    # Trained together with others; the refit is scikit-learn's.
    "network": RefiningGridSearchCV(
        MLPClassifier((5,), max_iter=20, random_state=0), {"alpha": [1e-3, 1e-1]}
    ),
}


@pytest.mark.parametrize("name", SEARCHES)
def test_the_best_estimator_predicts_the_same(name):
    search = SEARCHES[name].fit(X, Y)
    model = skl2onnx.to_onnx(search.best_estimator_, X[:1])
    session = onnxruntime.InferenceSession(model.SerializeToString())
    labels = session.run(None, {session.get_inputs()[0].name: X})[0]
    np.testing.assert_array_equal(labels, search.predict(X))


@pytest.mark.parametrize(
    "search",
    [
        SEARCHES["grid"],
        RandomizedSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, n_iter=2),
    ],
)
def test_skl2onnx_does_not_know_these_searches(search):
    """The guide says so. If this fails, the guide can say less."""
    search.fit(X, Y)
    with pytest.raises(Exception, match=type(search).__name__):
        skl2onnx.to_onnx(search, X[:1])
