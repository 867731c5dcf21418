//! The types of what has a name of its own: `pid`, `comm`, `args.field`.

use super::Infer;
use crate::script::ast::{Expr, ExprKind, Name, Span};
use crate::script::cursor::Read;
use crate::script::functions::{BUILTINS, FUNCTIONS, MOST_FRAMES, is_unsupported};
use crate::script::host::Host;
use crate::script::probes::Event;
use crate::script::types::Type;

/// The bytes of a thread's name, the 0 at its end included.
const COMM: usize = 16;

impl Infer<'_> {
    /// A name alone. Functions without arguments need no parentheses.
    pub(super) fn builtin(&mut self, expr: &mut Expr) -> Read<Type> {
        let (span, ExprKind::Name(name)) = (expr.span, &expr.kind) else {
            return Ok(Type::Unknown);
        };
        let name = name.clone();
        if let Some(of) = self.builtin_type(&name, span)? {
            return Ok(of);
        }
        // They are in the task.
        let path = match &*name {
            "ppid" => "tgid",
            "pcomm" => "comm",
            _ => "",
        };
        if !path.is_empty() {
            *expr = ["real_parent", path].into_iter().fold(
                Expr::new(ExprKind::Name("curtask".into()), span),
                |object, field| {
                    let field = Name { text: field.into(), span };
                    let object = Box::new(object);
                    Expr::new(ExprKind::Field { object, field, arrow: true }, span)
                },
            );
            return self.value(expr);
        }
        if FUNCTIONS.contains(&&*name) {
            let name = Name { text: name, span };
            expr.kind = ExprKind::Call { name, arguments: vec![] };
            return self.call(expr);
        }
        if is_unsupported(&name) {
            return self.mistake(span, format!("`{name}` is not supported"));
        }
        if let Some((number, of)) = self.host.enumerator(&name) {
            expr.kind = ExprKind::Enumerator(number, of);
            return Ok(Type::Int(of));
        }
        let mistake = self.cursor.mistake(span, format!("nothing is called `{name}`"));
        Err(mistake.meant(&name, &mut BUILTINS.into_iter()))
    }

    /// The type of a builtin; `None` if there is none of this name.
    pub(super) fn builtin_type(&mut self, name: &str, span: Span) -> Read<Option<Type>> {
        Ok(Some(match name {
            "pid" | "tid" | "cpid" | "cpu" | "rand" => Type::UINT32,
            "uid" | "gid" | "nsecs" | "elapsed" | "ncpus" | "cgroup" | "jiffies" => Type::UINT64,
            "numaid" => Type::UINT32,
            "comm" => Type::Text(COMM),
            "probe" => Type::Text(self.longest_probe() + 1),
            "probetype" => {
                let longest = self.events.iter().map(|event| event.type_name().len()).max();
                Type::Text(longest.unwrap_or_default() + 1)
            }
            "func" => {
                self.only_at(
                    name,
                    span,
                    |event| event.function().is_some(),
                    "probes of functions",
                )?;
                let longest = self.events.iter().filter_map(Event::function).map(str::len).max();
                Type::Text(longest.unwrap_or_default() + 1)
            }
            "curtask" => match self.host.kernel_type(Some("struct"), "task_struct") {
                Ok(of) => of.pointer(false),
                Err(why) => return self.mistake(span, why),
            },
            "kstack" | "ustack" => {
                Type::Stack(MOST_FRAMES, self.settings.stack_mode, name == "ustack")
            }
            "retval" => {
                let returns = |event: &Event| {
                    matches!(
                        event,
                        Event::Kretprobe { .. } | Event::Uretprobe { .. } | Event::Fexit { .. }
                    )
                };
                self.only_at(name, span, returns, "kretprobe, uretprobe and fexit probes")?;
                self.of_all_events(name, span, |host, event| host.result_type(event))?
            }
            "args" => {
                let what = "`args` has fields: write `args.NAME`";
                self.only_with_args(span)?;
                return self.mistake(span, what);
            }
            _ if name.strip_prefix("arg").is_some_and(is_number) => self.only_at(
                name,
                span,
                |event| {
                    matches!(
                        event,
                        Event::Kprobe { .. } | Event::Uprobe { .. } | Event::RawTracepoint(_)
                    )
                },
                "kprobe, uprobe and rawtracepoint probes",
            )?,
            _ => return Ok(None),
        }))
    }

    /// A number of 64 bits that only some probes have.
    fn only_at(
        &mut self,
        name: &str,
        span: Span,
        has: fn(&Event) -> bool,
        where_: &str,
    ) -> Read<Type> {
        match self.events.iter().all(has) {
            true => Ok(Type::UINT64),
            false => self.mistake(span, format!("only {where_} have `{name}`")),
        }
    }

    fn only_with_args(&mut self, span: Span) -> Read<()> {
        let has = |event: &Event| {
            matches!(
                event,
                Event::Tracepoint(..)
                    | Event::RawTracepoint(_)
                    | Event::Fentry { .. }
                    | Event::Fexit { .. }
            )
        };
        if self.events.iter().any(|event| matches!(event, Event::Uprobe { .. })) {
            let what = "`args` of uprobe probes is not supported";
            let mistake = self.cursor.mistake(span, what);
            return Err(mistake.help("arg0, arg1 and so on are the arguments"));
        }
        self.only_at("args", span, has, "tracepoint, rawtracepoint, fentry and fexit probes")
            .map(|_| ())
    }

    /// `args.name`, which all events of the probe must have alike.
    pub(super) fn field(&mut self, name: &str, span: Span, object: Span) -> Read<Type> {
        self.only_with_args(object)?;
        let text = format!("args.{name}");
        self.of_all_events(&text, span, |host, event| {
            host.field(event, name).map(|field| field.of.in_memory(event.is_of_process()))
        })
    }

    /// The type of what all events of the probe must have alike.
    fn of_all_events(
        &mut self,
        name: &str,
        span: Span,
        of: impl Fn(&dyn Host, &Event) -> Result<Type, String>,
    ) -> Read<Type> {
        let mut found = Type::Unknown;
        for event in &self.events {
            let of = match of(self.host, event) {
                Ok(of) => of,
                Err(why) => return self.mistake(span, why),
            };
            found = match found.join(&of) {
                Some(joined) => joined,
                None => {
                    return self
                        .mistake(span, format!("`{name}` is not of one type at all these probes"));
                }
            };
        }
        Ok(found)
    }

    fn longest_probe(&self) -> usize {
        self.events.iter().map(|event| event.to_string().len()).max().unwrap_or_default()
    }
}

fn is_number(digits: &str) -> bool {
    !digits.is_empty() && digits.len() <= 2 && digits.bytes().all(|byte| byte.is_ascii_digit())
}
