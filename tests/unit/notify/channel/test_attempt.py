"""One try to send, with a deadline."""

import threading
import time

import pytest

from sentinel_core.notify.channel.attempt import Attempt, TooLateError


def test_what_has_not_begun_when_it_is_given_up_never_begins() -> None:
    attempt = Attempt(10)
    assert not attempt.give_up()
    with pytest.raises(TooLateError):
        attempt.begin()
    assert not attempt.begun


def test_what_has_begun_when_it_is_given_up_is_known_to_have() -> None:
    attempt = Attempt(10)
    attempt.begin()
    assert attempt.give_up()


def test_nothing_begins_after_the_deadline_even_if_nobody_has_given_up_yet() -> None:
    attempt = Attempt(0.05)
    time.sleep(0.06)
    with pytest.raises(TooLateError):
        attempt.begin()
    with pytest.raises(TooLateError):
        _ = attempt.left


def test_waiting_for_an_answer_ends_before_the_deadline() -> None:
    assert 9 < Attempt(10).left < 10
    assert 0.8 < Attempt(1).left < 1


def test_of_sender_and_waiter_exactly_one_is_first() -> None:
    for _ in range(300):
        attempt, gate, sent = Attempt(10), threading.Barrier(2), list[bool]()

        def sender(
            attempt: Attempt = attempt,
            gate: threading.Barrier = gate,
            sent: list[bool] = sent,
        ) -> None:
            gate.wait()
            try:
                attempt.begin()
            except TooLateError:
                sent.append(False)
            else:
                sent.append(True)

        thread = threading.Thread(target=sender)
        thread.start()
        gate.wait()
        told = attempt.give_up()
        thread.join()
        assert sent == [told]


def test_what_is_given_up_is_closed_and_an_error_while_closing_is_nobodys() -> None:
    closed: list[str] = []

    def close() -> None:
        closed.append("once")
        raise OSError

    attempt = Attempt(10)
    attempt.at_the_end(close)
    attempt.begin()
    assert attempt.give_up()
    assert closed == ["once"]
