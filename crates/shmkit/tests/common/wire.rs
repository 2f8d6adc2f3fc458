//! Any bytes at all on a manager's wire: the fuzz target's work, and the tests'.

use shmkit::manager::{
    ClientSession, Frames, REQUEST_MAX, RESPONSE_MAX, Request, Response, ServerSession, UNKNOWN_MAX, frame,
    pickle,
};

/// Both ends of a connection, when they have just met, and when they know each other.
pub struct Ends {
    new: (ServerSession, ClientSession),
    known: (ServerSession, ClientSession),
}

impl Ends {
    pub fn new() -> Self {
        let (session, _) = ServerSession::new().expect("random");
        let mut known = introduced();
        for _ in 0..9 {
            known.1.request("dummy", &[]);
        }
        Ends { new: (session, ClientSession::new(b"key".to_vec())), known }
    }
}

/// Puts `data` through all that reads what others sent. Nothing of it panics, and what is refused is so by a code.
pub fn exercise(ends: &Ends, data: &[u8]) {
    match pickle::read(data) {
        Err(error) => assert_eq!(error.code, "ERR_SHM_PROTOCOL"),
        Ok(value) => {
            // What is read is written again, and read as the same.
            assert_eq!(pickle::read(&pickle::write(&value)).expect("our own"), value);
        }
    }
    if let Err(error) = Request::read(data) {
        assert_eq!(error.code, "ERR_SHM_PROTOCOL");
    }
    if let Err(error) = Response::read(data) {
        assert_eq!(error.code, "ERR_SHM_PROTOCOL");
    }
    for max in [UNKNOWN_MAX, REQUEST_MAX, RESPONSE_MAX] {
        let (mut frames, mut taken) = (Frames::default(), 0);
        for piece in data.chunks(7) {
            frames.push(piece);
            while let Ok(Some(message)) = frames.next(max) {
                taken += 4 + message.len();
            }
        }
        assert!(taken <= data.len());
    }
    strangers(ends.new.clone(), data);
    friends(ends.known.clone(), data);
}

/// Somebody who does not know the key.
fn strangers((mut session, mut client): (ServerSession, ClientSession), data: &[u8]) {
    let mut out = Vec::new();
    let received =
        session.receive(data, b"key", &mut out, |_| unreachable!("nobody has shown that he knows the key"));
    if let Err(error) = received {
        assert!(matches!(error.code, "ERR_SHM_AUTH" | "ERR_SHM_PROTOCOL"));
    }
    assert!(!session.is_known());
    if let Err(error) = client.receive(data, &mut out) {
        assert!(matches!(error.code, "ERR_SHM_AUTH" | "ERR_SHM_PROTOCOL"));
    }
}

/// Somebody who does, and then sends this.
fn friends((mut session, mut client): (ServerSession, ClientSession), data: &[u8]) {
    let mut out = Vec::new();
    let answer = |request| match request {
        Request::Refused(why) => Response::Failed(why),
        _ => Response::Returned(pickle::Value::None),
    };
    for bytes in [&frame(data), data] {
        if let Err(error) = session.receive(bytes, b"key", &mut out, answer) {
            assert_eq!(error.code, "ERR_SHM_PROTOCOL");
            break;
        }
    }
    for bytes in [&frame(data), data] {
        if let Err(error) = client.receive(bytes, &mut out) {
            assert!(matches!(error.code, "ERR_SHM_PROTOCOL" | "ERR_SHM_MANAGER"));
            break;
        }
    }
}

/// Both ends of a connection that know each other.
pub fn introduced() -> (ServerSession, ClientSession) {
    let (mut session, mut to_client) = ServerSession::new().expect("random");
    let mut client = ClientSession::new(b"key".to_vec());
    while !session.is_known() {
        let mut to_server = Vec::new();
        client.receive(&to_client, &mut to_server).expect("one that knows the key");
        to_client.clear();
        let nothing = |_| unreachable!("nothing was asked");
        session.receive(&to_server, b"key", &mut to_client, nothing).expect("one that knows the key");
    }
    (session, client)
}
