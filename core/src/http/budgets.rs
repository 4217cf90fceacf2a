//! The budget of every route: what a user's request is counted for.
//!
//! A request is counted when its caller is authenticated, before anything is read or written. `HEAD`
//! costs what `GET` costs. Routes without a caller have limits of their own. A test compares the table
//! with the routes.

use axum::extract::MatchedPath;
use axum::http::Method;
use axum::http::request::Parts;

use super::error::ApiResult;
use crate::service::Services;
use crate::service::budgets::Budget;
use colloquy_proto::domain::UserId;

/// Method, path and budget of every route. Those that are requested most come first.
const BUDGETS: &[(&str, &str, Budget)] = &[
    (
        "GET",
        "/api/chat/conversations/{id}/messages/",
        Budget::History,
    ),
    (
        "POST",
        "/api/chat/conversations/{id}/messages/",
        Budget::Sends,
    ),
    ("GET", "/api/chat/conversations/", Budget::Lists),
    ("POST", "/api/chat/conversations/", Budget::Conversations),
    ("GET", "/api/chat/conversations/{id}/", Budget::History),
    (
        "GET",
        "/api/chat/conversations/{id}/members/",
        Budget::Lists,
    ),
    (
        "PATCH",
        "/api/chat/conversations/{id}/messages/{message_id}/",
        Budget::Edits,
    ),
    (
        "DELETE",
        "/api/chat/conversations/{id}/messages/{message_id}/",
        Budget::Deletions,
    ),
    (
        "POST",
        "/api/chat/conversations/{id}/members/",
        Budget::Members,
    ),
    (
        "DELETE",
        "/api/chat/conversations/{id}/members/{user_id}/",
        Budget::Members,
    ),
    ("GET", "/ws/chat/{id}/", Budget::Sockets),
    ("GET", "/api/users/profile/", Budget::Profile),
    ("POST", "/api/users/token/refresh/", Budget::Refreshes),
    ("POST", "/api/users/logout/", Budget::Logouts),
    ("POST", "/api/users/register/", Budget::Attempts),
    ("POST", "/api/users/login/", Budget::Attempts),
    ("GET", "/health/", Budget::Public),
    ("GET", "/health/live/", Budget::Public),
    ("GET", "/health/ready/", Budget::Public),
    ("GET", "/api/config/", Budget::Public),
    ("GET", "/api/openapi.json", Budget::Public),
    ("GET", "/api/asyncapi.json", Budget::Public),
];

/// Counts the request of an authenticated user.
pub(super) async fn charge(services: &Services, parts: &Parts, user_id: UserId) -> ApiResult<()> {
    let path = parts.extensions.get::<MatchedPath>();
    let path = path.map(MatchedPath::as_str).unwrap_or_default();
    let budget = of_route(&parts.method, path).unwrap_or(Budget::History);
    Ok(services.charge(budget, user_id).await?)
}

fn of_route(method: &Method, path: &str) -> Option<Budget> {
    let method = if method == Method::HEAD {
        "GET"
    } else {
        method.as_str()
    };
    let row = BUDGETS
        .iter()
        .find(|(verb, template, _)| *template == path && *verb == method);
    row.map(|(_, _, budget)| *budget)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use utoipa::openapi::path::Operation;

    use super::*;

    /// Method and path of every route.
    fn routes() -> BTreeSet<(&'static str, String)> {
        let (_, document) = super::super::routes().split_for_parts();
        let mut routes = BTreeSet::new();
        for (path, item) in document.paths.paths {
            let operations: [(&str, Option<Operation>); 5] = [
                ("GET", item.get),
                ("POST", item.post),
                ("PUT", item.put),
                ("PATCH", item.patch),
                ("DELETE", item.delete),
            ];
            let given = operations.into_iter().filter(|(_, one)| one.is_some());
            routes.extend(given.map(|(method, _)| (method, path.clone())));
        }
        routes
    }

    #[test]
    fn every_route_has_a_budget() {
        let budgets: BTreeSet<_> = BUDGETS
            .iter()
            .map(|(method, path, _)| (*method, (*path).to_owned()))
            .collect();
        assert_eq!(budgets.len(), BUDGETS.len(), "a route has two budgets");
        assert_eq!(budgets, routes());
    }

    #[test]
    fn head_costs_what_get_costs() {
        let path = "/api/chat/conversations/";
        assert_eq!(of_route(&Method::HEAD, path), Some(Budget::Lists));
        assert_eq!(of_route(&Method::GET, path), Some(Budget::Lists));
        assert_eq!(of_route(&Method::POST, path), Some(Budget::Conversations));
    }
}
