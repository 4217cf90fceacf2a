//! The translation of cache commands for Redis, for any client an adapter uses.

use crate::ports::CacheCommand;

/// The arguments of the Redis command, its name first. All exist since Redis 2.6.12.
pub fn redis_args(command: &CacheCommand) -> Vec<String> {
    match command {
        CacheCommand::ZAdd { key, entries } => {
            let mut args = args(["ZADD", key]);
            for (score, member) in entries {
                args.extend([score.to_string(), member.to_string()]);
            }
            args
        }
        CacheCommand::ZTrim { key, count } => {
            let last = (-1 - count.max(&0)).to_string();
            args(["ZREMRANGEBYRANK", key, "0", &last])
        }
        CacheCommand::ZTop { key, count } => {
            // Rank -0 would be rank 0, the whole set.
            let (first, last) = if *count > 0 { (-count, "-1") } else { (1, "0") };
            args(["ZRANGE", key, &first.to_string(), last])
        }
        CacheCommand::Del { key } => args(["DEL", key]),
        CacheCommand::Expire { key, seconds } => args(["EXPIRE", key, &seconds.to_string()]),
        CacheCommand::Ping => args(["PING"]),
    }
}

fn args<const N: usize>(args: [&str; N]) -> Vec<String> {
    args.map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_count_from_the_highest() {
        let key = || "k".to_owned();
        let joined = |command| redis_args(&command).join(" ");
        assert_eq!(
            joined(CacheCommand::ZTrim {
                key: key(),
                count: 100
            }),
            "ZREMRANGEBYRANK k 0 -101"
        );
        assert_eq!(
            joined(CacheCommand::ZTrim {
                key: key(),
                count: 0
            }),
            "ZREMRANGEBYRANK k 0 -1"
        );
        assert_eq!(
            joined(CacheCommand::ZTop {
                key: key(),
                count: 5
            }),
            "ZRANGE k -5 -1"
        );
        assert_eq!(
            joined(CacheCommand::ZTop {
                key: key(),
                count: 0
            }),
            "ZRANGE k 1 0"
        );
        let entries = vec![(1, "e {\"a\": 1}".into()), (2, "b".into())];
        assert_eq!(
            joined(CacheCommand::ZAdd {
                key: key(),
                entries
            }),
            "ZADD k 1 e {\"a\": 1} 2 b"
        );
    }
}
