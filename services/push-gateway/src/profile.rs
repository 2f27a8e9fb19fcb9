//! What is switched on: `APP_PROFILE`, and over it the single switches.

use std::convert::Infallible;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};
use serde::Serialize;
use utoipa::ToSchema;

/// Named sets of switches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[value(rename_all = "UPPER")]
pub enum ProfileName {
    /// Event streams, control over HTTP, WebSocket.
    Hybrid,
    /// Without event streams.
    Websocket,
    /// Without WebSocket.
    Sse,
    /// Neither.
    Off,
}

/// The switches as they are given.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Switches")]
pub struct ProfileConfig {
    /// Named set of switches
    #[arg(long = "app-profile", env = "APP_PROFILE", default_value = "HYBRID", ignore_case = true)]
    pub name: ProfileName,

    /// Event streams, over the profile
    #[arg(long, env = "ENABLE_SSE", value_name = "BOOL", value_parser = BoolishValueParser::new())]
    pub enable_sse: Option<bool>,

    /// POST and PUT of governor and engines; told in /api/profile
    #[arg(long, env = "ENABLE_CONTROL_HTTP", value_name = "BOOL", value_parser = BoolishValueParser::new())]
    pub enable_control_http: Option<bool>,

    /// All WebSockets, over the profile
    #[arg(long, env = "ENABLE_WS_SPECIAL", value_name = "BOOL", value_parser = BoolishValueParser::new())]
    pub enable_ws_special: Option<bool>,

    /// Anything but 0 or false switches all WebSockets off and wins over the others
    #[arg(long, env = "DISABLE_WEBSOCKET", value_name = "BOOL", value_parser = anything_but_0_or_false)]
    pub disable_websocket: Option<bool>,
}

/// Operators of the older systems set it to all kinds of words; only these two ever meant no.
fn anything_but_0_or_false(text: &str) -> Result<bool, Infallible> {
    Ok(text != "0" && !text.eq_ignore_ascii_case("false"))
}

/// What is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Profile {
    /// The named set.
    pub profile: ProfileName,
    /// Event streams.
    pub sse: bool,
    /// WebSockets.
    pub websocket: bool,
    /// Control over HTTP.
    pub control_http: bool,
}

impl ProfileConfig {
    /// What the switches come to.
    pub fn resolve(&self) -> Profile {
        let websocket_by_profile = matches!(self.name, ProfileName::Hybrid | ProfileName::Websocket);
        let is_disabled = self.disable_websocket == Some(true);
        Profile {
            profile: self.name,
            sse: self.enable_sse.unwrap_or(matches!(self.name, ProfileName::Hybrid | ProfileName::Sse)),
            websocket: !is_disabled && self.enable_ws_special.unwrap_or(websocket_by_profile),
            control_http: self.enable_control_http.unwrap_or(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Example {
        #[command(flatten)]
        profile: ProfileConfig,
    }

    fn resolve(arguments: &[&str]) -> (bool, bool, bool) {
        let all = [&["x"], arguments].concat();
        let profile = Example::try_parse_from(all).unwrap().profile.resolve();
        (profile.sse, profile.websocket, profile.control_http)
    }

    #[test]
    fn single_switches_win_over_the_profile_and_disable_wins_over_all() {
        assert_eq!(resolve(&[]), (true, true, true));
        assert_eq!(resolve(&["--app-profile", "sse"]), (true, false, true));
        assert_eq!(resolve(&["--app-profile", "WEBSOCKET"]), (false, true, true));
        assert_eq!(resolve(&["--app-profile", "OFF"]), (false, false, true));
        assert_eq!(resolve(&["--app-profile", "OFF", "--enable-sse", "true"]), (true, false, true));
        assert_eq!(resolve(&["--enable-control-http", "false"]), (true, true, false));
        assert_eq!(
            resolve(&["--enable-ws-special", "true", "--disable-websocket", "yes"]),
            (true, false, true)
        );
        for (word, websocket) in [("0", true), ("False", true), ("no", false), ("off", false), ("1", false)] {
            assert_eq!(resolve(&["--disable-websocket", word]), (true, websocket, true), "{word}");
        }
    }
}
