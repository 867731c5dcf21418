//! What a script consists of. The reader makes it as it was written; later passes add which variable a
//! name means, put constants in the place of expressions that have one value, and note types.

use super::types::{Int, Pointer, Type};

/// Bytes of a script.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
}

impl Span {
    /// From the start of this span to the end of that one.
    pub fn to(self, end: Span) -> Span {
        Span { start: self.start, end: end.end }
    }
}

/// A word of a script, and its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Name {
    /// The word, without `$` or `@`. A map may have no name.
    pub text: String,
    /// Its place.
    pub span: Span,
}

/// A variable, and which one it is: several may have one name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Variable {
    /// Its name.
    pub name: Name,
    /// Its index among the script's variables, once names are resolved.
    pub index: usize,
}

/// A whole script.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Script {
    /// Structs, unions and enumerations that the script defines.
    pub definitions: Vec<Definition>,
    /// The settings of the `config` block.
    pub config: Vec<Setting>,
    /// The imports.
    pub imports: Vec<Import>,
    /// The maps that the script declares.
    pub maps: Vec<MapDeclaration>,
    /// Macros and functions.
    pub macros: Vec<Macro>,
    /// The probes in their order, at least one.
    pub probes: Vec<Probe>,
}

/// `struct NAME { .. }`, which is kept as text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Definition {
    /// `struct`, `union` or `enum`.
    pub keyword: &'static str,
    /// The whole definition.
    pub span: Span,
}

/// `KEY = VALUE;` of the `config` block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setting {
    /// The key.
    pub key: Name,
    /// The value.
    pub value: SettingValue,
    /// Key and value.
    pub span: Span,
}

/// The value of a setting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SettingValue {
    /// A number.
    Int(u64),
    /// `true` or `false`.
    Bool(bool),
    /// A word, with quotes or without.
    Text(String),
}

/// `import "PATH";`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Import {
    /// What is imported.
    pub path: Vec<u8>,
    /// The statement.
    pub span: Span,
}

/// `let @NAME = KIND(ENTRIES);`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MapDeclaration {
    /// The map.
    pub map: Name,
    /// The kind of map: `hash`, `percpulruhash`.
    pub kind: Name,
    /// The number of entries.
    pub entries: u64,
    /// The whole declaration.
    pub span: Span,
}

/// `macro NAME(PARAMETERS) { .. }` or `fn NAME(..) { .. }`.
#[derive(Clone, PartialEq, Debug)]
pub struct Macro {
    /// `macro` or `fn`.
    pub keyword: Name,
    /// Its name.
    pub name: Name,
    /// All of it.
    pub span: Span,
}

/// Where a block runs, if what is true, and the block.
#[derive(Clone, PartialEq, Debug)]
pub struct Probe {
    /// The attach points, at least one.
    pub points: Vec<AttachPoint>,
    /// What must be true: `/ .. /`.
    pub predicate: Option<Expr>,
    /// What is done.
    pub block: Block,
    /// All of it.
    pub span: Span,
}

/// `tracepoint:sched:sched_switch`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AttachPoint {
    /// The parts between the colons, without quotes; the first is the probe type. At least one.
    pub parts: Vec<String>,
    /// All of it.
    pub span: Span,
}

/// Statements in braces.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Block {
    /// The statements.
    pub statements: Vec<Statement>,
    /// The expression at the end that no semicolon follows: the value of a block that has one.
    pub value: Option<Box<Expr>>,
    /// From brace to brace.
    pub span: Span,
}

impl Block {
    /// Shows all expressions in it, each before its parts.
    pub fn visit(&self, look: &mut dyn FnMut(&Expr)) {
        for statement in &self.statements {
            match &statement.kind {
                StatementKind::Let { value: Some(value), .. }
                | StatementKind::Discard(value)
                | StatementKind::Expr(value)
                | StatementKind::Return(Some(value)) => value.visit(look),
                StatementKind::Assign { place, value, .. } => {
                    place.visit(look);
                    value.visit(look);
                }
                StatementKind::For { over, block, .. } => {
                    if let Iterated::Range(range) = over {
                        range.0.visit(look);
                        range.1.visit(look);
                    }
                    block.visit(look);
                }
                StatementKind::While { condition: head, block }
                | StatementKind::Unroll { count: head, block } => {
                    head.visit(look);
                    block.visit(look);
                }
                _ => {}
            }
        }
        if let Some(value) = &self.value {
            value.visit(look);
        }
    }
}

/// A statement.
#[derive(Clone, PartialEq, Debug)]
pub struct Statement {
    /// What it does.
    pub kind: StatementKind,
    /// Its place, without the semicolon.
    pub span: Span,
}

/// What a statement does.
#[derive(Clone, PartialEq, Debug)]
pub enum StatementKind {
    /// `let $v: type = value`
    Let {
        /// The variable.
        variable: Variable,
        /// Its type, if the script gives one.
        of: Option<TypeName>,
        /// Its first value; without one it is 0 or empty.
        value: Option<Expr>,
    },
    /// `$v = value`, `@m[key] += value`
    Assign {
        /// A variable or an element of a map.
        place: Place,
        /// The operator of `+=` and its kind; nothing for `=`.
        operator: Option<Binary>,
        /// What is assigned.
        value: Expr,
    },
    /// `_ = value`
    Discard(Expr),
    /// An expression for its effect.
    Expr(Expr),
    /// `for $v : over { .. }`
    For {
        /// The variable.
        variable: Variable,
        /// What it goes through.
        over: Iterated,
        /// What is done each time.
        block: Block,
    },
    /// `while (condition) { .. }`
    While {
        /// What must be true.
        condition: Expr,
        /// What is done each time.
        block: Block,
    },
    /// `unroll(count) { .. }`
    Unroll {
        /// How often, which must be known before the run.
        count: Expr,
        /// What is done each time.
        block: Block,
    },
    /// `break`
    Break,
    /// `continue`
    Continue,
    /// `return` or `return value`
    Return(Option<Expr>),
}

/// What a `for` goes through.
#[derive(Clone, PartialEq, Debug)]
pub enum Iterated {
    /// The elements of a map.
    Map(Name),
    /// The numbers from the first up to, and without, the second.
    Range(Box<(Expr, Expr)>),
}

/// What can be assigned to.
#[derive(Clone, PartialEq, Debug)]
pub enum Place {
    /// `$v`
    Variable(Variable),
    /// `@m`, `@m[key]`; several keys are one tuple.
    Map(Name, Option<Box<Expr>>),
}

impl Place {
    fn visit(&self, look: &mut dyn FnMut(&Expr)) {
        if let Place::Map(_, Some(key)) = self {
            key.visit(look);
        }
    }

    /// Its place in the text: for a map with a key, up to the end of the key.
    pub fn span(&self) -> Span {
        match self {
            Place::Variable(variable) => variable.name.span,
            Place::Map(map, None) => map.span,
            Place::Map(map, Some(key)) => map.span.to(key.span),
        }
    }
}

/// A value.
#[derive(Clone, PartialEq, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Its place.
    pub span: Span,
    /// The type of its value, once types are inferred.
    pub of: Type,
}

impl Expr {
    /// Shows this expression and all in it, each before its parts.
    pub fn visit(&self, look: &mut dyn FnMut(&Expr)) {
        look(self);
        match &self.kind {
            ExprKind::Place(place) | ExprKind::Step { place, .. } => place.visit(look),
            ExprKind::Call { arguments, .. } => {
                for argument in arguments {
                    if let Argument::Value(value) = argument {
                        value.visit(look);
                    }
                }
            }
            ExprKind::Unary(_, one) | ExprKind::Cast(_, one) | ExprKind::Element(one, _) => {
                one.visit(look);
            }
            ExprKind::Field { object, .. } => object.visit(look),
            ExprKind::Binary(_, one, other) | ExprKind::Index(one, other) => {
                one.visit(look);
                other.visit(look);
            }
            ExprKind::Choice(condition, then, otherwise) => {
                condition.visit(look);
                then.iter().for_each(|then| then.visit(look));
                otherwise.visit(look);
            }
            ExprKind::If { arms, otherwise } => {
                for (condition, block) in arms {
                    condition.visit(look);
                    block.visit(look);
                }
                otherwise.iter().for_each(|block| block.visit(look));
            }
            ExprKind::Tuple(all) => all.iter().for_each(|one| one.visit(look)),
            ExprKind::Record(all) => all.iter().for_each(|(_, one)| one.visit(look)),
            ExprKind::Block(block) => block.visit(look),
            _ => {}
        }
    }

    /// The field, if this is `args.field`.
    pub fn field_of_args(&self) -> Option<&str> {
        match &self.kind {
            ExprKind::Field { object, field, .. } => {
                let args = matches!(&object.kind, ExprKind::Name(name) if name == "args");
                args.then_some(&*field.text)
            }
            _ => None,
        }
    }

    /// What this is a part of, or the address that leads to it, if it is in memory.
    pub fn container(&self) -> Option<&Expr> {
        match &self.kind {
            _ if self.field_of_args().is_some() => None,
            ExprKind::Field { object, .. }
            | ExprKind::Index(object, _)
            | ExprKind::Unary(Unary::Dereference, object) => Some(object),
            _ => None,
        }
    }

    /// Whether it is in the memory of the process, once types are inferred.
    pub fn is_of_process(&self) -> bool {
        self.container().is_some_and(|container| match &container.of {
            Type::Pointer(Pointer { of_process, .. }) => *of_process,
            _ => container.is_of_process(),
        })
    }

    /// An expression whose type is not known yet.
    pub fn new(kind: ExprKind, span: Span) -> Expr {
        Expr { kind, span, of: Type::Unknown }
    }
}

/// What an expression is.
#[derive(Clone, PartialEq, Debug)]
pub enum ExprKind {
    /// A number. The reader makes none that is negative.
    Int(i128),
    /// A constant of one of the kernel's enumerations.
    Enumerator(i128, Int),
    /// A string, its escapes replaced.
    Text(Vec<u8>),
    /// `true`, `false`
    Bool(bool),
    /// `$1`
    Parameter(u64),
    /// `$#`
    ParameterCount,
    /// `$v`, `@m`, `@m[key]`
    Place(Place),
    /// A name alone: a builtin such as `pid`, an enumerator, a parameter of a macro.
    Name(String),
    /// `name(arguments)`
    Call {
        /// The function.
        name: Name,
        /// Its arguments.
        arguments: Vec<Argument>,
    },
    /// `-e`, `!e`, `~e`, `*e`, `&e`
    Unary(Unary, Box<Expr>),
    /// `++$v`, `@m--`
    Step {
        /// What is changed.
        place: Place,
        /// Whether it grows.
        up: bool,
        /// Whether the value is the new one.
        before: bool,
    },
    /// `a + b`
    Binary(Binary, Box<Expr>, Box<Expr>),
    /// `c ? a : b`; `c ?: b` has no `a`.
    Choice(Box<Expr>, Option<Box<Expr>>, Box<Expr>),
    /// `if c { .. } else if d { .. } else { .. }`
    If {
        /// The conditions and what is done.
        arms: Vec<(Expr, Block)>,
        /// What is done if none is true.
        otherwise: Option<Block>,
    },
    /// `(type)e`
    Cast(TypeName, Box<Expr>),
    /// `e.field`, `e->field`
    Field {
        /// The struct, or the pointer to it.
        object: Box<Expr>,
        /// The field.
        field: Name,
        /// Whether it was written with an arrow.
        arrow: bool,
    },
    /// `e.0`
    Element(Box<Expr>, u64),
    /// `e[i]`
    Index(Box<Expr>, Box<Expr>),
    /// `(a, b)`
    Tuple(Vec<Expr>),
    /// `(name = a, other = b)`
    Record(Vec<(Name, Expr)>),
    /// `{ ..; e }`
    Block(Block),
}

/// An argument of a call: some functions take types.
#[derive(Clone, PartialEq, Debug)]
pub enum Argument {
    /// A value.
    Value(Expr),
    /// A type, as in `sizeof(uint8)`.
    Type(TypeName),
}

/// A type by its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TypeName {
    /// `struct`, `union` or `enum`, if it was written.
    pub keyword: Option<&'static str>,
    /// The name.
    pub name: String,
    /// The number in `string[16]`.
    pub size: Option<u64>,
    /// How many stars follow.
    pub pointers: usize,
    /// The number in the `[4]` of an array, or `None` for `[]`, from left to right.
    pub arrays: Vec<Option<u64>>,
    /// All of it.
    pub span: Span,
}

/// An operator before its operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Unary {
    Negate,
    Not,
    Invert,
    Dereference,
    Address,
}

/// An operator between two operands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Binary {
    Or,
    And,
    BitOr,
    BitXor,
    BitAnd,
    Equal,
    NotEqual,
    Less,
    Greater,
    AtMost,
    AtLeast,
    ShiftLeft,
    ShiftRight,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Binary {
    /// The operators, each with its spelling and its level. A higher level binds more tightly.
    pub const ALL: [(Binary, &'static str, u8); 18] = [
        (Binary::Or, "||", 1),
        (Binary::And, "&&", 2),
        (Binary::BitOr, "|", 3),
        (Binary::BitXor, "^", 4),
        (Binary::BitAnd, "&", 5),
        (Binary::Equal, "==", 6),
        (Binary::NotEqual, "!=", 6),
        (Binary::Less, "<", 7),
        (Binary::Greater, ">", 7),
        (Binary::AtMost, "<=", 7),
        (Binary::AtLeast, ">=", 7),
        (Binary::ShiftLeft, "<<", 8),
        (Binary::ShiftRight, ">>", 8),
        (Binary::Add, "+", 9),
        (Binary::Subtract, "-", 9),
        (Binary::Multiply, "*", 10),
        (Binary::Divide, "/", 10),
        (Binary::Remainder, "%", 10),
    ];

    /// Its spelling.
    pub fn text(self) -> &'static str {
        let (_, text, _) = Binary::ALL[self as usize];
        text
    }
}
