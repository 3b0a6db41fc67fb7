"""What the fake refuses, in the error form of Confluent Cloud's own APIs: `{"errors": [...]}`, `status` as text.

The Schema Registry has another form; see `registry`.
"""

from uuid import uuid4

from starlette.responses import JSONResponse

_TITLES = {
    400: ("invalid_request", "Bad Request"),
    401: ("user_unauthenticated", "Authentication Required"),
    403: ("user_unauthorized", "User Access Unauthorized"),
    409: ("resource_already_exists", "Resource Already exists"),
    415: ("unsupported_media_type", "Unsupported Media Type"),
    422: ("invalid_configuration", "Validation Failed"),
    429: ("rate_limit_exceeded", "Too Many Requests"),
}


class CloudRefusal(Exception):
    """A request that is answered with an error."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        pointer: str = "",
        parameter: str = "",
        location: str = "",
        retry_after_seconds: int = 1,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.source = {"pointer": pointer} if pointer else {"parameter": parameter} if parameter else {}
        self.location = location
        self.retry_after_seconds = retry_after_seconds

    def response(self) -> JSONResponse:
        """A real 404 has neither id nor code nor title."""
        error: dict[str, object] = {"status": str(self.status), "detail": self.detail, "source": self.source}
        if self.status in _TITLES:
            code, title = _TITLES[self.status]
            error = {"id": str(uuid4()), "code": code, "title": title} | error
        headers = {"Location": self.location} if self.location else {}
        if self.status == 401:
            headers["WWW-Authenticate"] = 'Basic error="invalid_key", error_description="The API Key is invalid"'
        if self.status == 429:
            wait = str(self.retry_after_seconds)
            headers |= {"Retry-After": wait, "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": wait}
        return JSONResponse({"errors": [error]}, status_code=self.status, headers=headers)


def missing(thing: str) -> CloudRefusal:
    return CloudRefusal(404, f"{thing} not found")


def invalid(pointer: str, detail: str) -> CloudRefusal:
    return CloudRefusal(422, detail, pointer=pointer)
