//! Containers: what is run when one is built or started, and what of the machine it may touch.

use serde_json::Value as Json;

use super::{Seen, Surface, commands_of, place, quoted, yaml_or_miss};
use crate::finding::Fires;
use crate::rules;
use crate::tree::File;

/// Looks at a file.
pub fn look(surface: &mut Surface, number: usize, file: &File) {
    let name = file.name().to_lowercase();
    if is_dockerfile(&name) {
        let script = script(&file.text());
        surface.command(Fires::Container, number, 0, script);
    } else if is_compose(&name)
        && let Some(yaml) = yaml_or_miss(surface, file)
    {
        compose(surface, number, file, &yaml);
    }
}

/// Whether a name is a Dockerfile's.
#[must_use]
pub fn is_dockerfile(name: &str) -> bool {
    name == "dockerfile"
        || name == "containerfile"
        || name.starts_with("dockerfile.")
        || name.ends_with(".dockerfile")
}

/// Whether a name is one of a composition of containers.
#[must_use]
pub fn is_compose(name: &str) -> bool {
    (name.starts_with("docker-compose")
        || name.starts_with("compose")
        || name.starts_with("podman-compose"))
        && (name.ends_with(".yml") || name.ends_with(".yaml"))
}

/// The instructions of a Dockerfile as a script: settings become variables, `ADD` of an address fetches it.
fn script(text: &str) -> String {
    let mut script = String::new();
    let mut lines = text.split_inclusive('\n');
    while let Some(line) = lines.next() {
        let mut whole = line.trim_end().to_owned();
        while whole.ends_with('\\') || whole.ends_with('`') {
            whole.pop();
            let Some(next) = lines.next() else { break };
            if next.trim_start().starts_with('#') {
                whole.push('\\');
                continue;
            }
            whole.push_str(next.trim_end());
        }
        let plain = whole.trim();
        if plain.is_empty() || plain.starts_with('#') {
            continue;
        }
        let (instruction, rest) = plain.split_once(char::is_whitespace).unwrap_or((plain, ""));
        let mut instruction = instruction.to_uppercase();
        let mut rest = rest.trim();
        if instruction == "ONBUILD" {
            let (inner, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            instruction = inner.to_uppercase();
            rest = after.trim();
        }
        // Options of the instruction itself.
        while rest.starts_with("--") {
            rest = rest.split_once(char::is_whitespace).map_or("", |(_, after)| after.trim());
        }
        if instruction == "HEALTHCHECK" {
            rest = rest.strip_prefix("CMD").unwrap_or(rest).trim();
        }
        let command = match instruction.as_str() {
            "RUN" | "CMD" | "ENTRYPOINT" | "HEALTHCHECK" => {
                match serde_json::from_str::<Vec<String>>(rest) {
                    Ok(words) => words.iter().map(|w| quoted(w)).collect::<Vec<_>>().join(" "),
                    Err(_) => {
                        let mut command = rest.to_owned();
                        if let Some((_, mark)) = rest.split_once("<<") {
                            // A script that stands in the file up to its mark.
                            let mark: String = mark
                                .trim_start_matches('-')
                                .trim_matches(|c| c == '"' || c == '\'')
                                .chars()
                                .take_while(|c| c.is_alphanumeric() || *c == '_')
                                .collect();
                            let is_own = rest.starts_with("<<");
                            let mut body = String::new();
                            for next in lines.by_ref() {
                                if next.trim() == mark {
                                    break;
                                }
                                body.push_str(next);
                            }
                            command = if is_own { body } else { format!("{rest}\n{body}{mark}") };
                        }
                        command
                    }
                }
            }
            "ENV" | "ARG" => match rest.split_once('=') {
                Some(_) => rest.to_owned(),
                None => match rest.split_once(char::is_whitespace) {
                    Some((key, value)) => format!("{key}={}", quoted(value.trim())),
                    None => continue,
                },
            },
            "ADD" if rest.contains("://") => {
                let words: Vec<&str> = rest.split_whitespace().collect();
                match words[..] {
                    [url, to] => format!("curl -o {to} {url}"),
                    _ => continue,
                }
            }
            "COPY" | "ADD" => {
                let words: Vec<&str> = rest.split_whitespace().collect();
                match words[..] {
                    [from, to] if !from.contains(['[', '<']) => {
                        let name = from.rsplit('/').next().unwrap_or(from);
                        let to = if to.ends_with('/') || to == "." {
                            format!("{to}/{name}")
                        } else {
                            to.to_owned()
                        };
                        format!("cp {from} {to}")
                    }
                    _ => continue,
                }
            }
            _ => continue,
        };
        script.push_str(&command);
        script.push('\n');
    }
    script
}

fn compose(surface: &mut Surface, number: usize, file: &File, yaml: &Json) {
    let services = yaml.get("services").and_then(Json::as_object).cloned().unwrap_or_default();
    for service in services.values() {
        for key in ["command", "entrypoint"] {
            for command in service.get(key).map(commands_of).unwrap_or_default() {
                surface.command(
                    Fires::Container,
                    number,
                    place(file, &command),
                    command.replace("$$", "$"),
                );
            }
        }
        if let Some(test) = service.pointer("/healthcheck/test") {
            for command in commands_of(test) {
                let command =
                    command.trim_start_matches("CMD-SHELL").trim_start_matches("CMD").trim();
                let command = command.trim_matches('\'').replace("$$", "$");
                surface.command(Fires::Container, number, place(file, "healthcheck"), command);
            }
        }
        for hook in ["post_start", "pre_stop"] {
            for one in service.get(hook).and_then(Json::as_array).into_iter().flatten() {
                for command in one.get("command").map(commands_of).unwrap_or_default() {
                    surface.command(Fires::Container, number, place(file, hook), command);
                }
            }
        }
        if let Some(text) = service.pointer("/build/dockerfile_inline").and_then(Json::as_str) {
            surface.command(
                Fires::Container,
                number,
                place(file, "dockerfile_inline"),
                script(text),
            );
        }
        access(surface, number, file, service);
    }
}

/// What a container may touch of the machine that it runs on.
pub fn access(surface: &mut Surface, number: usize, file: &File, service: &Json) {
    const SECRETS: [&str; 12] = [
        "docker.sock",
        "/.ssh",
        "/.aws",
        "/.kube",
        "/.gnupg",
        "/.config",
        "/etc",
        "/root",
        "/var/run",
        "/proc",
        "/.bitcoin",
        "/.docker",
    ];
    let mut say = |at: u32, what: String| {
        surface.seen.push(Seen::medium(
            &rules::container_access::RULE,
            (number, at),
            Fires::Container,
            what,
        ));
    };
    if service.get("privileged").and_then(Json::as_bool) == Some(true) {
        say(place(file, "privileged"), "the container may do anything with the machine".to_owned());
    }
    for (key, values) in
        [("pid", &["host"][..]), ("ipc", &["host"]), ("userns_mode", &["host"]), ("uts", &["host"])]
    {
        if service.get(key).and_then(Json::as_str).is_some_and(|v| values.contains(&v)) {
            say(place(file, key), format!("the container shares `{key}` with the machine"));
        }
    }
    let list = |key: &str| service.get(key).and_then(Json::as_array).cloned().unwrap_or_default();
    for capability in list("cap_add").iter().chain(&list("capAdd")).filter_map(Json::as_str) {
        let name = capability.trim_start_matches("CAP_");
        if matches!(
            name,
            "ALL"
                | "SYS_ADMIN"
                | "SYS_PTRACE"
                | "SYS_MODULE"
                | "DAC_READ_SEARCH"
                | "SYS_RAWIO"
                | "BPF"
        ) && name != "SYS_PTRACE"
        {
            say(place(file, capability), format!("the container gets the capability {name}"));
        }
    }
    let run_args = list("runArgs");
    for arg in run_args.iter().filter_map(Json::as_str) {
        if matches!(arg, "--privileged" | "--pid=host" | "--cap-add=ALL" | "--cap-add=SYS_ADMIN") {
            say(place(file, arg), format!("the container is started with `{arg}`"));
        }
    }
    let mut mounts: Vec<(String, bool)> = Vec::new();
    for volume in list("volumes").iter().chain(&list("mounts")).chain(&run_args) {
        match volume {
            Json::String(text) if text.contains("source=") => {
                let source = text
                    .split("source=")
                    .nth(1)
                    .and_then(|s| s.split(',').next())
                    .unwrap_or_default();
                mounts.push((source.to_owned(), text.contains("readonly")));
            }
            Json::String(text) => {
                let text = text.trim_start_matches("--volume=").trim_start_matches("-v=");
                let mut parts = text.rsplitn(2, ':');
                let (last, first) = (parts.next().unwrap_or_default(), parts.next());
                let Some(first) = first else { continue };
                let read_only = last == "ro";
                let source = if matches!(last, "ro" | "rw" | "z" | "Z") || last.contains(',') {
                    first.rsplit_once(':').map_or(first, |(s, _)| s)
                } else {
                    first
                };
                mounts.push((source.to_owned(), read_only));
            }
            Json::Object(map) => {
                if let Some(source) = map.get("source").and_then(Json::as_str) {
                    mounts.push((
                        source.to_owned(),
                        map.get("read_only").and_then(Json::as_bool) == Some(true),
                    ));
                }
            }
            _ => {}
        }
    }
    for (source, _) in mounts {
        let plain = source
            .replace("${HOME}", "~")
            .replace("$HOME", "~")
            .replace("${localEnv:HOME}", "~")
            .replace("${localEnv:USERPROFILE}", "~")
            .replace("${USERPROFILE}", "~");
        // A default behind a variable counts as what it says.
        let plain = plain
            .split_once(":-")
            .map_or(plain.clone(), |(_, rest)| rest.trim_end_matches('}').to_owned());
        let plain = plain.trim_end_matches('/');
        let is_whole = plain.is_empty() && source.starts_with('/')
            || plain == "~"
            || plain == "/home"
            || plain == "/Users";
        let is_host = plain.starts_with('/') || plain.starts_with('~') || plain.starts_with("..");
        if is_whole
            || is_host
                && SECRETS.iter().any(|s| plain.contains(s) || plain.ends_with(s))
                && !plain.ends_with("/etc/localtime")
                && !plain.ends_with("/etc/timezone")
        {
            say(place(file, &source), format!("the container sees `{source}` of the machine"));
        }
    }
}
