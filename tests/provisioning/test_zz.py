def test_p(run):
    ran = run("- pause: {seconds: 1}\n- name: x\n  debug: {msg: 1}\n")
    print(ran.outcome, ran.events)
    assert 0
