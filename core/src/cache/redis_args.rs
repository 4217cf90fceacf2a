//! What each cache command is in Redis: its words, for whichever client an adapter has.

use crate::ports::CacheCommand;

/// The Redis command, its name first. All exist since Redis 2.6.
pub fn redis_args(command: &CacheCommand) -> Vec<String> {
    match command {
        CacheCommand::ZAdd { key, entries } => {
            let mut words = words(["ZADD", key]);
            for (score, member) in entries {
                words.extend([score.to_string(), member.to_string()]);
            }
            words
        }
        CacheCommand::ZTrim { key, count } => {
            let last = (-1 - count.max(&0)).to_string();
            words(["ZREMRANGEBYRANK", key, "0", &last])
        }
        CacheCommand::ZTop { key, count } => {
            // Rank -0 would be rank 0, the whole set.
            let (first, last) = if *count > 0 { (-count, "-1") } else { (1, "0") };
            words(["ZRANGE", key, &first.to_string(), last])
        }
        CacheCommand::Del { key } => words(["DEL", key]),
        CacheCommand::Expire { key, seconds } => words(["EXPIRE", key, &seconds.to_string()]),
        CacheCommand::SetNx { key, seconds } => {
            words(["SET", key, "0", "EX", &seconds.to_string(), "NX"])
        }
        CacheCommand::Incr { key } => words(["INCR", key]),
        CacheCommand::Decr { key } => words(["DECR", key]),
        CacheCommand::Ttl { key } => words(["TTL", key]),
        CacheCommand::Ping => words(["PING"]),
    }
}

fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_count_from_the_highest() {
        let key = || "k".to_owned();
        let said = |command| redis_args(&command).join(" ");
        assert_eq!(
            said(CacheCommand::ZTrim {
                key: key(),
                count: 100
            }),
            "ZREMRANGEBYRANK k 0 -101"
        );
        assert_eq!(
            said(CacheCommand::ZTrim {
                key: key(),
                count: 0
            }),
            "ZREMRANGEBYRANK k 0 -1"
        );
        assert_eq!(
            said(CacheCommand::ZTop {
                key: key(),
                count: 5
            }),
            "ZRANGE k -5 -1"
        );
        assert_eq!(
            said(CacheCommand::ZTop {
                key: key(),
                count: 0
            }),
            "ZRANGE k 1 0"
        );
        let entries = vec![(1, "e {\"a\": 1}".into()), (2, "b".into())];
        assert_eq!(
            said(CacheCommand::ZAdd {
                key: key(),
                entries
            }),
            "ZADD k 1 e {\"a\": 1} 2 b"
        );
    }
}
