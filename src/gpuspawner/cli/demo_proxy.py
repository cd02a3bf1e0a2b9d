"""The demo's proxy, which keeps to itself what addresses say after their question mark.

tornado's line on an answer of 500 or more has the whole address, and with it the token against
forged requests. The proxy's own line on the same has the path alone.
"""

from __future__ import annotations

import logging

from configurable_http_proxy.cli import main

if __name__ == "__main__":
    logging.getLogger("tornado.access").disabled = True
    main()
