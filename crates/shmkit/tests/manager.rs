//! The wire of CPython's managers, without sockets: what both ends say, and what any bytes do to them.

#![allow(clippy::expect_used)]

use proptest::prelude::*;
use shmkit::manager::pickle::{self, Value};
use shmkit::manager::{
    ClientSession, Instructions, REQUEST_MAX, Request, Response, ReturnValue, ServerSession, SocketFile,
    UNKNOWN_MAX, frame,
};
use shmkit::ownership::Token;

#[path = "common/wire.rs"]
mod wire;

use wire::{Ends, exercise, introduced};

/// `pickle.dumps((None, 'track_segment', ('psm_1',), {}))` of CPython 3.9 to 3.13.
const TRACK: &[u8] =
    b"\x80\x04\x95!\0\0\0\0\0\0\0(N\x8c\rtrack_segment\x94\x8c\x05psm_1\x94\x85\x94}\x94t\x94.";
/// `('#RETURN', ['a', 'b', 'a'])`: what comes again is named by its number.
const NAMES: &[u8] =
    b"\x80\x04\x95\x1b\0\0\0\0\0\0\0\x8c\x07#RETURN\x94]\x94(\x8c\x01a\x94\x8c\x01b\x94h\x02e\x86\x94.";
/// The same in protocol 2.
const NAMES_2: &[u8] =
    b"\x80\x02X\x07\0\0\0#RETURNq\0]q\x01(X\x01\0\0\0aq\x02X\x01\0\0\0bq\x03h\x02e\x86q\x04.";

fn names(names: &[&str]) -> Value {
    Value::List(names.iter().map(|name| Value::from(*name)).collect())
}

#[test]
fn what_python_writes_is_read() {
    assert_eq!(Request::read(TRACK).expect("a request"), Request::Track("psm_1".into()));
    for pickle in [NAMES, NAMES_2] {
        assert_eq!(Response::read(pickle).expect("a reply"), Response::Returned(names(&["a", "b", "a"])));
    }
    for (pickle, value) in [
        (&b"\x80\x04K\xff."[..], Value::Int(255)),
        (b"\x80\x04M\xff\xff.", Value::Int(65_535)),
        (b"\x80\x04J\xff\xff\xff\xff.", Value::Int(-1)),
        (b"\x80\x04\x8a\x00.", Value::Int(0)),
        (b"\x80\x04\x8a\x02\xff\x7f.", Value::Int(0x7fff)),
        (b"\x80\x04\x8a\x02\x00\x80.", Value::Int(-0x8000)),
        (b"\x80\x04\x8a\x08\0\0\0\0\0\0\0\x80.", Value::Int(i64::MIN)),
        (b"\x80\x04C\x02\0\xff.", Value::Bytes([0, 255][..].into())),
        (b"\x80\x05\x88.", Value::Bool(true)),
        (b"\x80\x05).", Value::Tuple(Vec::new())),
        (b"\x80\x04}K\x01\x89s.", Value::Dict(vec![(Value::Int(1), Value::Bool(false))])),
        (b"\x80\x04]K\x01a.", Value::List(vec![Value::Int(1)])),
    ] {
        assert_eq!(pickle::read(pickle).expect("plain data"), value);
    }
}

#[test]
fn no_instruction_but_those_for_plain_data_is_carried_out() {
    // os.system('true'), in protocol 0 and in 4.
    for wicked in [
        &b"cos\nsystem\n(S'true'\ntR."[..],
        b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x04true\x94\x85\x94R\x94.",
    ] {
        let error = pickle::read(wicked).expect_err("refused");
        assert_eq!(error.code, "ERR_SHM_PROTOCOL");
        assert!(error.message.contains("instruction"), "{}", error.message);
    }
    // With a value, a string and a mark below it, whatever it would need is there.
    let allowed: Vec<u8> = (0..=255)
        .filter(|code| {
            let pickle = [b"\x80\x04N\x8c\x01a(", &[*code][..], b"\x01\0\0\0\0\0\0\0."].concat();
            pickle::read(&pickle).err().is_none_or(|error| !error.message.contains("instruction"))
        })
        .collect();
    // Of the list only what needs no more than that is certain; all others are refused.
    assert!(allowed.len() <= 32, "{allowed:?}");
    for code in *b"GIFLSTUVcdghilopRQP012bj" {
        let known = matches!(code, b'h' | b'j');
        assert_eq!(allowed.contains(&code), known, "{:?}", char::from(code));
    }
}

#[test]
fn a_damaged_pickle_is_refused() {
    for damaged in [
        &b""[..],
        b".",
        b"N",
        b"NN.",
        b"(.",
        b"(N.",
        b"t.",
        b"\x85.",
        b"a.",
        b"Na.",
        b"NNa.",
        b"e.",
        b"]N(e.",
        b"u.",
        b"}(Nu.",
        b"}NNa.",
        b"]NNs.",
        b"\x80",
        b"\x80\x01.",
        b"\x80\x06N.",
        b"\x8c\x05abc",
        b"X\xff\xff\xff\xffa.",
        b"\x8c\x01\xff.",
        b"h\0.",
        b"j\0\0\0\0.",
        b"\x94.",
        b"q\0.",
        b"\x8a\x09\0\0\0\0\0\0\0\0\0.",
        b"](K\x01\x94.",
        // A tuple that needs what is below the mark, and a list that is.
        b"N(\x85.",
        b"](a.",
        b"K\x01(\x86.",
        // A list that contains itself.
        b"\x80\x04]\x94h\0a.",
    ] {
        assert_eq!(pickle::read(damaged).expect_err("damaged").code, "ERR_SHM_PROTOCOL", "{damaged:?}");
    }
}

#[test]
fn a_small_pickle_takes_little_memory_whatever_it_says() {
    // A long string, a million times.
    let mut pickle = [b"\x80\x04(B", &60_000u32.to_le_bytes()[..], &[7; 60_000], b"\x94"].concat();
    pickle.extend(b"h\0".repeat(500_000));
    pickle.extend(b"t.");
    let Value::Tuple(items) = pickle::read(&pickle).expect("plain data") else { panic!("a tuple") };
    assert_eq!(items.len(), 500_001);
    drop(items);
    // Tuples within tuples, which a reader, a writer or a destructor would recurse into.
    let nested = |depth: usize| [b")".to_vec(), b"\x85".repeat(depth), b".".to_vec()].concat();
    assert!(pickle::read(&nested(30)).is_ok());
    assert_eq!(pickle::read(&nested(60_000)).expect_err("too deep").code, "ERR_SHM_PROTOCOL");
    let lists = [b"]".repeat(60_000), b"a".repeat(59_999), b".".to_vec()].concat();
    assert_eq!(pickle::read(&lists).expect_err("too deep").code, "ERR_SHM_PROTOCOL");
    // A length that there is not.
    assert!(pickle::read(b"B\xff\xff\xff\xff").is_err());
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::None),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<String>().prop_map(|text| Value::from(text.as_str())),
        any::<Vec<u8>>().prop_map(|bytes| Value::Bytes(bytes.into())),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Tuple),
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::List),
            prop::collection::vec((inner.clone(), inner), 0..6).prop_map(Value::Dict),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_the_same(value in value()) {
        prop_assert_eq!(pickle::read(&pickle::write(&value)).expect("our own"), value);
    }
}

#[test]
fn requests_are_told_apart() {
    let read = |method: &str, arguments: Vec<Value>| {
        let parts = [Value::None, method.into(), Value::Tuple(arguments), Value::Dict(Vec::new())];
        Request::read(&pickle::write(&Value::Tuple(parts.to_vec()))).expect("a request")
    };
    assert_eq!(read("dummy", vec![]), Request::Dummy);
    assert_eq!(read("track_segment", vec!["/a".into()]), Request::Track("a".into()));
    assert_eq!(read("release_segment", vec!["a".into()]), Request::Release("a".into()));
    assert_eq!(read("list_segments", vec![]), Request::List);
    assert_eq!(read("shutdown", vec![]), Request::Shutdown);
    assert_eq!(read("accept_connection", vec!["MainThread".into()]), Request::Stay);
    assert_eq!(read("number_of_objects", vec![]), Request::Count);
    assert_eq!(read("debug_info", vec![]), Request::DebugInfo);
    for (method, arguments) in [
        ("create", vec!["Foo".into(), Value::Int(1)]),
        ("incref", vec!["7f".into()]),
        ("track_segment", vec![]),
        ("track_segment", vec![Value::Int(1)]),
        ("shutdown", vec![Value::None]),
        ("__init__", vec![]),
        ("_handle_request", vec![]),
    ] {
        assert!(matches!(read(method, arguments), Request::Refused(_)), "{method}");
    }
    for (parts, refused) in [
        (vec![], false),
        (vec![Value::None, "dummy".into(), Value::Tuple(vec![])], false),
        (vec![Value::None, Value::None, Value::Tuple(vec![]), Value::Dict(vec![])], false),
        (vec!["7f".into(), "dummy".into(), Value::Tuple(vec![]), Value::Dict(vec![])], true),
        (
            vec![
                Value::None,
                "dummy".into(),
                Value::Tuple(vec![]),
                Value::Dict(vec![("a".into(), Value::None)]),
            ],
            true,
        ),
    ] {
        let read = Request::read(&pickle::write(&Value::Tuple(parts)));
        assert_eq!(matches!(read, Ok(Request::Refused(_))), refused, "{read:?}");
        assert!(refused || read.is_err_and(|error| error.code == "ERR_SHM_PROTOCOL"));
    }
}

/// Requests to a server in memory, over a connection that cuts bytes into pieces; what was returned, and what was asked for.
fn exchange(step: usize, asked: &[(&str, &[&str])], response: &Response) -> (Vec<ReturnValue>, Vec<Request>) {
    let (mut session, mut to_client) = ServerSession::new().expect("random");
    let mut client = ClientSession::new(b"key".to_vec());
    let (mut answers, mut requests) = (Vec::new(), Vec::new());
    let mut to_server: Vec<u8> =
        asked.iter().flat_map(|(method, arguments)| client.request(method, arguments)).collect();
    assert!(to_server.is_empty(), "nothing is asked of a stranger");
    while !(to_client.is_empty() && to_server.is_empty()) {
        for piece in std::mem::take(&mut to_client).chunks(step) {
            let mut answer = client.receive(piece, &mut to_server).expect("all is well");
            while let Some(this) = answer {
                answers.push(this);
                answer = client.receive(&[], &mut to_server).expect("all is well");
            }
        }
        for piece in std::mem::take(&mut to_server).chunks(step) {
            let answer = |request| {
                requests.push(request);
                response.clone()
            };
            session.receive(piece, b"key", &mut to_client, answer).expect("all is well");
        }
    }
    assert!(session.is_idle());
    (answers, requests)
}

#[test]
fn both_ends_understand_each_other_however_the_bytes_are_cut() {
    let asked: &[(&str, &[&str])] = &[("dummy", &[]), ("track_segment", &["psm_1"])];
    let wanted = vec![Request::Dummy, Request::Track("psm_1".into())];
    for step in [1, 2, 3, 7, 64, 10_000] {
        let response = Response::Returned(names(&["a", "b"]));
        let (answers, requests) = exchange(step, asked, &response);
        assert_eq!(requests, wanted, "in pieces of {step}");
        assert_eq!(answers, vec![ReturnValue::Names(vec!["a".into(), "b".into()]); 2]);
    }
    assert_eq!(exchange(5, asked, &Response::Returned(Value::None)).0, vec![ReturnValue::Nothing; 2]);
    assert_eq!(exchange(5, asked, &Response::Returned("t".into())).0, vec![ReturnValue::Text("t".into()); 2]);
}

#[test]
fn what_the_manager_says_about_a_failure_is_passed_on() {
    let asked = || {
        let (_, mut client) = introduced();
        client.request("dummy", &[]);
        client
    };
    let mut client = asked();
    let response = Response::Failed("Traceback (most recent call last):\n  File\nKeyError: 'x'".into());
    let error = client.receive(&frame(&response.write()), &mut Vec::new()).expect_err("a failure");
    assert_eq!((error.code, error.message.as_str()), ("ERR_SHM_MANAGER", "the manager says: KeyError: 'x'"));
    // CPython sends exceptions as objects, in places where none are asked for; and a number is no answer either.
    for strange in
        [&b"\x80\x04\x8c\x06#ERRORN\x86."[..], b"\x80\x04\x8c\x07#RETURNK\x01\x86.", b"N.", b"garbage"]
    {
        let error = asked().receive(&frame(strange), &mut Vec::new()).expect_err("no answer");
        assert_eq!(error.code, "ERR_SHM_PROTOCOL");
    }
    // Two answers to one request, and one to none.
    let response = frame(&Response::Returned(Value::None).write());
    let mut client = asked();
    let answer = client.receive(&response.repeat(2), &mut Vec::new()).expect("CPython's at its end");
    assert_eq!(answer, Some(ReturnValue::Nothing));
    client.request("dummy", &[]);
    let error = client.receive(&response, &mut Vec::new()).expect_err("whose is it?");
    assert_eq!(error.code, "ERR_SHM_PROTOCOL");
    let error = introduced().1.receive(&response, &mut Vec::new()).expect_err("one too many");
    assert_eq!(error.code, "ERR_SHM_PROTOCOL");
}

#[test]
fn a_server_refuses_who_does_not_know_the_key() {
    for answer in [&b"something bogus"[..], b"", &[0; 16], &[b"{sha256}", &[0; 32][..]].concat()] {
        let (mut session, greeting) = ServerSession::new().expect("random");
        assert!(greeting.starts_with(&[0, 0, 0, 59]) && greeting[4..].starts_with(b"#CHALLENGE#{sha256}"));
        let mut out = Vec::new();
        // A request right behind it is not even looked at.
        let bytes = [frame(answer), frame(TRACK)].concat();
        let error = session.receive(&bytes, b"key", &mut out, |_| panic!("answered")).expect_err("refused");
        assert_eq!((error.code, out), ("ERR_SHM_AUTH", frame(b"#FAILURE#")));
    }
    // And nothing is as long as this before that.
    let (mut session, _) = ServerSession::new().expect("random");
    let long = frame(&[0; UNKNOWN_MAX + 1]);
    let error = session.receive(&long, b"key", &mut Vec::new(), |_| panic!("answered")).expect_err("refused");
    assert_eq!(error.code, "ERR_SHM_PROTOCOL");
}

#[test]
fn a_client_refuses_who_does_not_know_the_key() {
    let challenge = frame(&[b"#CHALLENGE#{sha256}", &[7; 40][..]].concat());
    let heard = |messages: &[&[u8]]| {
        let mut client = ClientSession::new(b"key".to_vec());
        client.request("track_segment", &["secret"]);
        let mut out = Vec::new();
        let bytes: Vec<u8> = messages.iter().flat_map(|message| frame(message)).collect();
        let error = client.receive(&[&challenge[..], &bytes].concat(), &mut out).expect_err("refused");
        assert!(!String::from_utf8_lossy(&out).contains("secret"), "nothing is asked of a stranger");
        error.code
    };
    assert_eq!(heard(&[b"#FAILURE#"]), "ERR_SHM_AUTH");
    assert_eq!(heard(&[b"#WELCOME#", b"something bogus"]), "ERR_SHM_AUTH");
    assert_eq!(heard(&[b"#WELCOME#", &[0; 16]]), "ERR_SHM_AUTH");
    assert_eq!(heard(&[b"something bogus"]), "ERR_SHM_PROTOCOL");
    let mut client = ClientSession::new(b"key".to_vec());
    let error = client.receive(&frame(b"something bogus"), &mut Vec::new()).expect_err("refused");
    assert_eq!(error.code, "ERR_SHM_PROTOCOL");
}

#[test]
fn who_asks_and_does_not_read_is_not_answered_without_an_end() {
    let (mut session, _) = introduced();
    let many = frame(TRACK).repeat(1000);
    let mut out = Vec::new();
    let long = || Response::Returned(Value::from("x".repeat(REQUEST_MAX / 2).as_str()));
    let mut answered = 0;
    session
        .receive(&many, b"key", &mut out, |_| {
            answered += 1;
            long()
        })
        .expect("well");
    assert!(out.len() < 2 * REQUEST_MAX && !session.is_idle());
    // Once that is read, it goes on with the rest.
    while !session.is_idle() {
        out.clear();
        session
            .receive(&[], b"key", &mut out, |_| {
                answered += 1;
                long()
            })
            .expect("well");
    }
    assert_eq!(answered, 1000);
}

#[test]
fn a_server_reads_the_instructions_that_its_starter_writes_and_no_others() {
    let file = SocketFile { path: "/a/ü".into(), inode: u64::MAX };
    for file in [Some(file), None] {
        let token = Token::from_bytes([7; 16]);
        let told = Instructions { file, token, key: b"key".to_vec(), tracked: true };
        let message = told.message();
        assert_eq!(Instructions::read(&mut &message[..]).expect("read"), told);
        for cut in 0..message.len() {
            let error = Instructions::read(&mut &message[..cut]).expect_err("refused");
            assert_eq!(error.code, "ERR_SHM_PROTOCOL");
        }
    }
    for wrong in [&b""[..], b"\0", &frame(b"garbage"), &frame(b"N."), &frame(TRACK), &(-1i32).to_be_bytes()] {
        let mut stdin = wrong;
        assert_eq!(Instructions::read(&mut stdin).expect_err("refused").code, "ERR_SHM_PROTOCOL");
    }
}

/// xorshift: the same inputs every time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

const CODES: &[u8] =
    b"\x80\x95.(N\x88\x89JKM\x8a\x8cXCB)\x85\x86\x87t]ae}su\x94qrhj\x93RcioGb\x81\x92\x96\0\x01\x02\x04\xff";

/// Something between a message that is right and noise.
fn input(random: &mut Random, bytes: &mut Vec<u8>) {
    let seeds: [&[u8]; 7] = [
        TRACK,
        NAMES,
        NAMES_2,
        b"\0\0\0\x3b#CHALLENGE#{sha256}0123456789012345678901234567890123456789",
        b"\0\0\0\x1f#CHALLENGE#01234567890123456789\0\0\0\x09#WELCOME#",
        b"\xff\xff\xff\xff\0\0\0\0\x80\0\0\0",
        b"\x80\x04(]\x94(K\x01M\x02\x03J\x04\x05\x06\x07\x8a\x02\x08\x09e}\x94(\x8c\x01a\x94Nu\x89\x85t.",
    ];
    bytes.clear();
    if random.below(3) > 0 {
        bytes.extend(seeds[random.below(seeds.len())]);
    }
    for _ in 0..random.below(6) {
        let at = random.below(bytes.len() + 1);
        match random.below(5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, random.next() as u8),
            2 | 3 => bytes.insert(at, CODES[random.below(CODES.len())]),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
    }
    if random.below(4) == 0 {
        for _ in 0..random.below(24) {
            bytes.push(CODES[random.below(CODES.len())]);
        }
    }
}

/// A million inputs with `SHMKIT_STRESS_INPUTS=1000000`, as `npm run stress -- inputs` does.
#[test]
fn random_inputs_do_no_harm() {
    let count = std::env::var("SHMKIT_STRESS_INPUTS")
        .map_or(100_000, |count| count.parse().expect("SHMKIT_STRESS_INPUTS is a number"));
    let threads = 2;
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ thread);
                let (ends, mut bytes) = (Ends::new(), Vec::new());
                for _ in 0..count / threads {
                    input(&mut random, &mut bytes);
                    exercise(&ends, &bytes);
                }
            });
        }
    });
}
