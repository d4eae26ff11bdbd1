//! Reasons of negative security: what kind of attack a value is.

use super::{Category, reasons};

reasons! {
    /// The kind of attack.
    AttackReason, "attacks" {
        Sql = "sql", Critical, "CWE-89", "a value is a fragment of SQL";
        NoSql = "nosql", High, "CWE-943", "a value is a NoSQL operator or query";
        Script = "script", High, "CWE-79", "a value is HTML or script that a page would run";
        Command = "command", Critical, "CWE-78", "a value is a shell command";
        Traversal = "traversal", High, "CWE-22", "a value climbs out of a directory or names a sensitive file";
        Inclusion = "inclusion", High, "CWE-98", "a value includes a file or a stream wrapper";
        Ssrf = "ssrf", High, "CWE-918", "a value is an address inside the network or of a metadata service";
        Template = "template", High, "CWE-1336", "a value is a template expression";
        Expression = "expression", Critical, "CWE-917", "a value is an expression such as EL, OGNL or a JNDI lookup";
        Xxe = "xxe", High, "CWE-611", "a value declares an external entity";
        Ldap = "ldap", High, "CWE-90", "a value is a fragment of an LDAP filter";
        Xpath = "xpath", High, "CWE-643", "a value is a fragment of XPath";
        HeaderInjection = "header-injection", High, "CWE-113", "a value ends a line of a head and starts another";
        MailInjection = "mail-injection", Medium, "CWE-93", "a value adds fields or commands to a mail";
        Prototype = "prototype", High, "CWE-1321", "a key reaches the prototype of objects";
        Deserialization = "deserialization", Critical, "CWE-502", "a value is a serialized object";
        CodeInjection = "code", Critical, "CWE-94", "a value is program code";
        Introspection = "graphql-introspection", Low, "GraphQL October 2021, section 4", "a GraphQL query reads the schema";
        Scanner = "scanner", Medium, "OWASP Automated Threats OAT-014", "the request is a known scanner's probe";
        Score = "score", Medium, "CWE-20", "the learned attack score of a value is below the threshold";
    }
}

impl AttackReason {
    /// The kind of threat.
    pub const fn category(self) -> Category {
        match self {
            Self::Traversal | Self::Inclusion => Category::FileAccess,
            Self::Scanner => Category::Scanning,
            _ => Category::Injection,
        }
    }
}
