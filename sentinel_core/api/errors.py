"""The one form of errors: a code for programs and a sentence for people."""

import logging
from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from sentinel_core.base.errors import SentinelError
from sentinel_core.wording.text import flat, without_userinfo

logger = logging.getLogger(__name__)
_CODES = {400: "bad-request", 404: "not-found", 405: "method-not-allowed"}


class ApiError(Exception):
    """A refusal with its HTTP status, code and sentence."""

    def __init__(self, status: int, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.code = status, code


def answer(
    status: int, code: str, sentence: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """An answer that is an error."""
    return JSONResponse({"error": {"code": code, "sentence": sentence}}, status, headers)


def failed(error: SentinelError) -> JSONResponse:
    """The answer when the store or Prefect failed."""
    return answer(503, "unavailable", flat(without_userinfo(str(error)), 500))


def handle_errors(app: FastAPI) -> None:
    """Answer every error in this form."""

    @app.exception_handler(ApiError)
    def refused(_request: Request, error: ApiError) -> JSONResponse:
        return answer(error.status, error.code, str(error))

    @app.exception_handler(HTTPException)
    def refused_by_router(_request: Request, error: HTTPException) -> JSONResponse:
        code = _CODES.get(error.status_code, "refused")
        sentence = f"{error.detail}: /openapi.json lists the addresses and their methods"
        return answer(error.status_code, code, sentence, error.headers)

    @app.exception_handler(RequestValidationError)
    def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"][1:])
        sentence = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            sentence = "there is no such parameter; /openapi.json lists those that there are"
        text = flat(f"{name}: {sentence}", 300)
        return answer(422, "invalid-parameter", text)

    @app.exception_handler(SentinelError)
    def unavailable(_request: Request, error: SentinelError) -> JSONResponse:
        return failed(error)

    @app.exception_handler(Exception)
    def broken(_request: Request, error: Exception) -> JSONResponse:
        logger.error("a request failed", exc_info=error)
        return answer(500, "internal", "the request failed: the log of sentinel api says why")
