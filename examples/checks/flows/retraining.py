"""The flow that the rule about drift starts. Put the training of your own model here."""

from prefect import flow


@flow(name="retrain")
def retrain(model: str, drift: float) -> str:
    """Train the model again: what was done, in a sentence."""
    return f"{model} is to be trained again, as its figures changed by {drift:.1%}"


if __name__ == "__main__":
    print(retrain("matcher", 0.18))
