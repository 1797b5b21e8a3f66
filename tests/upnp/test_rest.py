from portmap_upnp.notifications.rest import IN_A_ROW, LONGEST, SHORTEST, Rest


def test_the_rest_doubles_with_each_question_in_a_row_that_finds_nothing_new() -> None:
    rest, rests = Rest(), []
    for now in range(9):
        rest = rest.longer(float(now))
        rests.append(rest.seconds)
    assert rests == [2.0, 4.0, 8.0, 16.0, 32.0, LONGEST, LONGEST, LONGEST, LONGEST]


def test_a_question_much_later_begins_a_new_row() -> None:
    assert Rest().longer(0.0).longer(1.0).longer(1.0 + IN_A_ROW).seconds == 2 * SHORTEST


def test_without_a_question_in_vain_the_rest_is_the_shortest() -> None:
    assert Rest().seconds == SHORTEST
