use super::*;

const MS: Duration = Duration::from_millis(1);

fn start() -> (Phases, Instant) {
    let now = Instant::now();
    let timeouts = ConnectionTimeouts::with_keep_alive(Duration::from_secs(75));
    (Phases::new(timeouts, now), now)
}

/// Carries out the deadlines until one has another verdict than to wait. Returns it and the time
/// since `from` in seconds.
fn next_verdict(phases: &mut Phases, pressure: Pressure, from: Instant) -> (Verdict, f64) {
    loop {
        let now = phases.deadline();
        let verdict = phases.check(pressure, now);
        if verdict != Verdict::Wait {
            return (verdict, (now - from).as_secs_f64());
        }
        assert!(phases.deadline() > now, "the alarm fires again at once");
    }
}

fn closes_after(phases: &mut Phases, pressure: Pressure, from: Instant) -> f64 {
    let (verdict, after) = next_verdict(phases, pressure, from);
    assert!(matches!(verdict, Verdict::Close(_)), "{verdict:?}");
    after
}

const CALM: Pressure = Pressure {
    connections: false,
    responses: false,
};
const SCARCE: Pressure = Pressure {
    connections: true,
    responses: false,
};
const FULL: Pressure = Pressure {
    connections: false,
    responses: true,
};

#[test]
fn idle_connection_is_closed_after_the_keep_alive_time_or_sooner_when_connections_are_scarce() {
    let (mut phases, now) = start();
    assert!((closes_after(&mut phases, CALM, now) - 75.0).abs() < 0.1);
    let (mut phases, now) = start();
    assert!((closes_after(&mut phases, SCARCE, now) - 5.0).abs() < 0.1);
    // The time starts again at the end of each response.
    let (mut phases, now) = start();
    phases.received(now + 60 * 1_000 * MS);
    phases.request_started(false, now + 60 * 1_000 * MS);
    let answered = now + 80 * 1_000 * MS;
    phases.request_finished(answered);
    assert!((closes_after(&mut phases, CALM, answered) - 75.0).abs() < 0.1);
}

#[test]
fn headers_that_trickle_in_do_not_extend_their_deadline() {
    let (mut phases, now) = start();
    for turn in 0..29 {
        phases.received(now + turn * 1_000 * MS);
    }
    assert!((closes_after(&mut phases, CALM, now) - 30.0).abs() < 0.1);
}

#[test]
fn body_needs_progress_and_an_end() {
    let (mut phases, now) = start();
    phases.request_started(true, now);
    let (verdict, after) = next_verdict(&mut phases, CALM, now);
    assert_eq!(verdict, Verdict::EndBody);
    assert!((after - 20.0).abs() < 0.1, "{after}");
    // The response must be written at once.
    assert!((closes_after(&mut phases, CALM, now) - 22.0).abs() < 0.1);

    let (mut phases, now) = start();
    phases.request_started(true, now);
    for second in 0..60 {
        phases.received(now + second * 1_000 * MS);
    }
    let (verdict, after) = next_verdict(&mut phases, CALM, now);
    assert_eq!(verdict, Verdict::EndBody);
    assert!((after - 60.0).abs() < 0.1, "{after}");
}

#[test]
fn handler_has_a_deadline_of_its_own() {
    let (mut phases, now) = start();
    phases.request_started(true, now);
    let complete = now + 15_000 * MS;
    phases.body_finished(complete);
    let (verdict, after) = next_verdict(&mut phases, CALM, complete);
    assert_eq!(verdict, Verdict::EndHandler);
    assert!((after - 30.0).abs() < 0.1, "{after}");
}

#[test]
fn response_that_is_not_read_closes_the_connection() {
    for (pressure, expected) in [(CALM, 20.0), (FULL, 2.0)] {
        let (mut phases, now) = start();
        phases.request_started(false, now);
        phases.request_finished(now);
        phases.write_blocked(now);
        let after = closes_after(&mut phases, pressure, now);
        assert!((after - expected).abs() < 0.1, "{after}");
    }
}

#[test]
fn slow_reader_needs_progress_and_a_minimum_rate() {
    for (bytes, survives) in [(4_096, true), (64, false)] {
        let (mut phases, mut now) = start();
        let started = now;
        phases.request_started(false, now);
        phases.request_finished(now);
        let mut closed = false;
        // Reads a piece every two seconds, for two minutes.
        while !closed && now < started + 120_000 * MS {
            phases.write_blocked(now);
            let until = now + 2_000 * MS;
            while !closed && phases.deadline() <= until {
                let at = phases.deadline();
                closed = phases.check(CALM, at) != Verdict::Wait;
            }
            now = until;
            phases.written(bytes, || now);
        }
        assert_eq!(closed, !survives, "{bytes} bytes every two seconds");
    }
}

#[test]
fn shutdown_leaves_a_short_grace_to_requests_that_have_begun() {
    let (mut phases, now) = start();
    phases.received(now);
    phases.stop(now);
    assert!((closes_after(&mut phases, CALM, now) - 2.0).abs() < 0.1);
    let (mut phases, now) = start();
    phases.request_started(true, now);
    phases.stop(now);
    let (verdict, after) = next_verdict(&mut phases, CALM, now);
    assert_eq!(verdict, Verdict::EndBody);
    assert!((after - 2.0).abs() < 0.1, "{after}");
    // A handler keeps its time, and a reader that makes no progress does not.
    let (mut phases, now) = start();
    phases.request_started(false, now);
    phases.stop(now);
    let (verdict, _) = next_verdict(&mut phases, CALM, now);
    assert_eq!(verdict, Verdict::EndHandler);
    let (mut phases, now) = start();
    phases.request_finished(now);
    phases.write_blocked(now);
    phases.stop(now);
    assert!((closes_after(&mut phases, CALM, now) - 2.0).abs() < 0.1);
}
