"""AWS KMS as far as the client speaks with it: Encrypt and Decrypt, with faults to order.

What it gives is no encryption: the text with the key's name before it, which is enough to tell keys apart.
Source: docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html and API_Decrypt.html.
"""

import json
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"


class AwsKms:
    """One endpoint; `fault` is the error code of every answer, none when empty."""

    def __init__(self) -> None:
        self.url = ""
        self.fault = ""
        self.status = 400
        self.asked: list[tuple[str, str]] = []
        """Action and access key id of each request."""

    def answer(self, action: str, body: dict[str, str]) -> dict[str, str]:
        marked = body["KeyId"].encode() + b"|"
        if action == "Encrypt":
            sealed = marked + bytes(byte ^ 0x5A for byte in b64decode(body["Plaintext"]))
            return {"KeyId": body["KeyId"], "CiphertextBlob": b64encode(sealed).decode()}
        clear = bytes(byte ^ 0x5A for byte in b64decode(body["CiphertextBlob"]).removeprefix(marked))
        return {"KeyId": body["KeyId"], "Plaintext": b64encode(clear).decode()}


@contextmanager
def aws_kms() -> Iterator[AwsKms]:
    kms = AwsKms()

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            action = self.headers["X-Amz-Target"].removeprefix("TrentService.")
            kms.asked.append((action, self.headers["Authorization"].partition("Credential=")[2].partition("/")[0]))
            told = {"__type": kms.fault, "message": "the text of AWS"} if kms.fault else kms.answer(action, body)
            text = json.dumps(told).encode()
            self.send_response(kms.status if kms.fault else 200)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        kms.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield kms
        server.shutdown()
        thread.join()
