"""What reaches the user of what goes wrong on a cluster."""

import pickle
import signal

import pytest
import ray
import ray.data

from muybridge.errors import LockedError, MuybridgeError, StoreError
from muybridge.run.cluster import cluster, stream

pytestmark = [pytest.mark.ray, pytest.mark.timeout(120)]


def test_what_a_task_or_an_actor_raises_on_purpose_is_raised_as_a_sentence():
    before = signal.getsignal(signal.SIGTERM)
    raised = [LockedError("overtaken"), StoreError("unavailable", "s3://b: no answer")]
    for error in raised:

        @ray.remote(max_retries=0)
        def fail(packed: bytes) -> None:
            raise pickle.loads(packed)

        with pytest.raises(MuybridgeError) as caught, cluster():  # noqa: PT012
            assert signal.getsignal(signal.SIGTERM) is before
            ray.get(fail.remote(pickle.dumps(error)))
        assert type(caught.value) is type(error)
        assert (str(caught.value), caught.value.kind) == (str(error), error.kind)

    def refuse(batch):
        raise StoreError("denied", "s3://b: expired")

    with pytest.raises(StoreError) as caught, cluster():  # noqa: PT012
        stream()
        ray.data.range(1).map_batches(refuse).take_all()
    assert str(caught.value) == "s3://b: expired"


def test_other_errors_keep_their_stack():
    @ray.remote(max_retries=0)
    def fail() -> None:
        raise ValueError("odd")

    with pytest.raises(ValueError, match="in fail"), cluster():
        ray.get(fail.remote())
