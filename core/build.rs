//! Composes the SQL statements: resolves the includes of `sql/<dialect>/<resource>/<verb>.sql` and
//! writes the result, without comments, to `OUT_DIR/sql` under the same name.
//!
//! A line `-- include: <name>` is replaced by `sql/<dialect>/shared/<name>.sql`, at its own
//! indentation. This way the session and membership check is written once per dialect.

#![expect(
    clippy::disallowed_methods,
    reason = "a build script reads files and the environment that cargo gives it"
)]

use std::error::Error;
use std::path::Path;
use std::{env, fs};

const INCLUDE: &str = "-- include: ";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=sql");
    println!("cargo::rerun-if-changed=build.rs");
    let target = Path::new(&env::var("OUT_DIR")?).join("sql");
    for dialect in ["postgres", "sqlite"] {
        let source = Path::new("sql").join(dialect);
        for resource in fs::read_dir(&source)? {
            let resource = resource?.file_name();
            if resource == "shared" {
                continue;
            }
            let folder = target.join(dialect).join(&resource);
            fs::create_dir_all(&folder)?;
            for file in fs::read_dir(source.join(&resource))? {
                let file = file?;
                let mut statement = String::new();
                compose(&source, &file.path(), "", &mut statement)?;
                fs::write(folder.join(file.file_name()), statement)?;
            }
        }
    }
    Ok(())
}

/// Appends the file's lines at this indentation, with its includes resolved.
fn compose(
    dialect: &Path,
    file: &Path,
    indent: &str,
    statement: &mut String,
) -> Result<(), Box<dyn Error>> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    for line in text.lines() {
        let code = line.trim_start();
        let inner = format!("{indent}{}", line.strip_suffix(code).unwrap_or_default());
        if let Some(name) = code.strip_prefix(INCLUDE) {
            let fragment = dialect.join("shared").join(format!("{name}.sql"));
            compose(dialect, &fragment, &inner, statement)?;
        } else if !code.starts_with("--") {
            statement.push_str(&inner);
            statement.push_str(code);
            statement.push('\n');
        }
    }
    Ok(())
}
