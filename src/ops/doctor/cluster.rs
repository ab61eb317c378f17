//! Checks of the cluster that a server is a node of.

use serde_json::Value;

use super::{Facts, Finding};
use crate::http_request::get;

/// The least number of servers that keep the stream.
const REPLICAS: u64 = 3;

/// Whether the node keeps calls, and the stream is on enough servers.
pub(super) fn cluster(facts: &Facts) -> Vec<Finding> {
    let Some(cluster) = facts.running().and_then(|running| running.cluster.as_ref()) else {
        return Vec::new();
    };
    if let Some(why) = &cluster.trouble {
        let fix = "docs/cluster.md says what each reason asks for; until then the other nodes take the calls";
        return Finding::problem(format!("this node keeps no calls: {why}"), fix);
    }
    if cluster.current < REPLICAS {
        return Finding::warning(
            format!(
                "{} of {} NATS servers have the whole stream: with one less, no calls are kept",
                cluster.current, cluster.replicas
            ),
            "start the missing ones; `nats stream report` shows which",
        );
    }
    if cluster.has_erased {
        return Finding::warning(
            "the NATS servers may still have what was erased",
            "it is removed when all nodes and all NATS servers are there; one that was replaced counts for 72 \
             hours",
        );
    }
    Finding::ok(format!(
        "the order is shared over {} NATS servers of version {}; {} messages are not applied yet",
        cluster.current, cluster.version, cluster.lag
    ))
}

/// Whether the NATS servers sync each message to the disk.
pub(super) fn nats(facts: &Facts) -> Vec<Finding> {
    let is_node = facts
        .running()
        .is_some_and(|running| running.cluster.is_some());
    let monitors = &facts.settings.nats_monitors;
    match (is_node, monitors.is_empty()) {
        (false, true) => Vec::new(),
        (true, true) => Finding::warning(
            "whether the NATS servers sync each message to the disk is not known",
            "name their monitoring addresses with --nats-monitor, such as http://10.0.0.1:8222",
        ),
        _ => monitors.iter().flat_map(|monitor| syncs(monitor)).collect(),
    }
}

fn syncs(monitor: &str) -> Vec<Finding> {
    let url = format!("{}/jsz?config=true", monitor.trim_end_matches('/'));
    let answer = match get(&url) {
        Ok(answer) if answer.status == 200 => {
            serde_json::from_slice::<Value>(&answer.body).map_err(|error| error.to_string())
        }
        Ok(answer) => Err(format!("it answers with status {}", answer.status)),
        Err(error) => Err(error.to_string()),
    };
    match answer {
        // A server omits disabled settings.
        Ok(state) if state.pointer("/config/sync_always") == Some(&Value::Bool(true)) => {
            Finding::ok(format!("the NATS server at {monitor} syncs each message"))
        }
        Ok(state) if state.is_object() => Finding::problem(
            format!(
                "the NATS server at {monitor} acknowledges messages that are not synced yet: a power cut can \
                 lose them"
            ),
            "set `sync_interval: always` in its jetstream block, and restart it",
        ),
        other => Finding::problem(
            format!(
                "the NATS server at {monitor} does not answer: {}",
                other
                    .err()
                    .unwrap_or_else(|| "its answer has no state".to_owned())
            ),
            "start it, or correct --nats-monitor",
        ),
    }
}
