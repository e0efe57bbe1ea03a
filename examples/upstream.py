"""An LLM API to try things on: canned answers, whole and streamed, on this machine.

python examples/upstream.py --port 9000
guardproxy serve --upstream http://127.0.0.1:9000/v1
"""

import sys

from guardproxy.demo import demo

if __name__ == "__main__":
    demo(["--upstream-only", *sys.argv[1:]])
