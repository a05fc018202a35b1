"""The Content-Security-Policy lets a page run what its renderer wrote, and nothing that anybody else put there."""

from conftest import served

from course_build.site import content_security_policy

PAGE = """<!doctype html><html lang="en"><head>
<meta charset="utf-8"><title>t</title>
<script id="options" type="application/json">{"a": "<b>"}</script>
<script>window.first = "é & < > \\n";</script></head>
<body><button onclick="window.clicked = true">Go</button><script type="module">window.second = 2;</script></body></html>
"""
INJECTED = """<script>window.evil = 1;</script><img src=x onerror="window.evil = 2">
<iframe src="data:text/html,x"></iframe><script src="https://192.0.2.1/x.js"></script>"""


def test_what_the_renderer_wrote_runs_and_what_was_added_does_not(tmp_path, browser):
    text = content_security_policy.add(PAGE).replace("</body>", f"{INJECTED}</body>")
    (tmp_path / "index.html").write_text(text, encoding="utf-8")
    page = browser.new_page()
    refused = {}
    page.on("requestfailed", lambda request: refused.update({request.url: request.failure}))
    with served(tmp_path) as address:
        page.goto(address)
        page.get_by_role("button").click()
        assert page.evaluate("[window.first, window.second, window.clicked]") == ["é & < > \n", 2, True]
        assert page.evaluate("window.evil") is None
    assert "csp" in refused["https://192.0.2.1/x.js"].lower()  # by the policy, before any network


def test_a_page_gets_one_policy_and_else_stays_as_it_is():
    once = content_security_policy.add(PAGE)
    assert content_security_policy.add(once) == once
    assert content_security_policy.add("<p>A piece of a page</p>") == "<p>A piece of a page</p>"
    start = once.index("<meta http-equiv")
    assert once[:start] + once[once.index(">", start) + 1 :] == PAGE


def test_the_encoding_stays_where_browsers_look_for_it():
    long = content_security_policy.add(PAGE + "".join(f"<script>{number}</script>" for number in range(50)))
    assert len(content_security_policy.policy(long)) > 1024
    assert 0 < long.index('<meta charset="utf-8">') < 1024 - 22


def test_a_page_without_handlers_allows_none():
    assert "'unsafe-hashes'" in content_security_policy.policy(PAGE)
    assert "'unsafe-hashes'" not in content_security_policy.policy(PAGE.replace("onclick", "data-onclick"))
    assert "'unsafe-eval'" not in content_security_policy.policy(PAGE)
