impl serde::Serialize for Decision {
    #[allow(deprecated)]
    fn serialize<S>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error>
    where
        S: serde::Serializer,
    {
        use serde::ser::SerializeStruct;
        let mut len = 0;
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("bywash.v1.Decision", len)?;
        if true {
            struct_ser.serialize_field("id", &self.id)?;
        }
        if true {
            struct_ser.serialize_field("action", &self.action)?;
        }
        if let Some(v) = self.engine.as_ref() {
            struct_ser.serialize_field("engine", v)?;
        }
        if true {
            struct_ser.serialize_field("mode", &self.mode)?;
        }
        if true {
            struct_ser.serialize_field("reasoning", &self.reasoning)?;
        }
        if let Some(v) = self.input.as_ref() {
            struct_ser.serialize_field("input", v)?;
        }
        if true {
            struct_ser.serialize_field("timestamp", &self.timestamp)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for Decision {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "id",
            "action",
            "engine",
            "mode",
            "reasoning",
            "input",
            "timestamp",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Id,
            Action,
            Engine,
            Mode,
            Reasoning,
            Input,
            Timestamp,
            __SkipField__,
        }
        impl<'de> serde::Deserialize<'de> for GeneratedField {
            fn deserialize<D>(deserializer: D) -> std::result::Result<GeneratedField, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                struct GeneratedVisitor;

                impl serde::de::Visitor<'_> for GeneratedVisitor {
                    type Value = GeneratedField;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(formatter, "expected one of: {:?}", &FIELDS)
                    }

                    #[allow(unused_variables)]
                    fn visit_str<E>(self, value: &str) -> std::result::Result<GeneratedField, E>
                    where
                        E: serde::de::Error,
                    {
                        match value {
                            "id" => Ok(GeneratedField::Id),
                            "action" => Ok(GeneratedField::Action),
                            "engine" => Ok(GeneratedField::Engine),
                            "mode" => Ok(GeneratedField::Mode),
                            "reasoning" => Ok(GeneratedField::Reasoning),
                            "input" => Ok(GeneratedField::Input),
                            "timestamp" => Ok(GeneratedField::Timestamp),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = Decision;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.Decision")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<Decision, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut id__ = None;
                let mut action__ = None;
                let mut engine__ = None;
                let mut mode__ = None;
                let mut reasoning__ = None;
                let mut input__ = None;
                let mut timestamp__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Id => {
                            if id__.is_some() {
                                return Err(serde::de::Error::duplicate_field("id"));
                            }
                            id__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Action => {
                            if action__.is_some() {
                                return Err(serde::de::Error::duplicate_field("action"));
                            }
                            action__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Engine => {
                            if engine__.is_some() {
                                return Err(serde::de::Error::duplicate_field("engine"));
                            }
                            engine__ = map_.next_value()?;
                        }
                        GeneratedField::Mode => {
                            if mode__.is_some() {
                                return Err(serde::de::Error::duplicate_field("mode"));
                            }
                            mode__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Reasoning => {
                            if reasoning__.is_some() {
                                return Err(serde::de::Error::duplicate_field("reasoning"));
                            }
                            reasoning__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Input => {
                            if input__.is_some() {
                                return Err(serde::de::Error::duplicate_field("input"));
                            }
                            input__ = map_.next_value()?;
                        }
                        GeneratedField::Timestamp => {
                            if timestamp__.is_some() {
                                return Err(serde::de::Error::duplicate_field("timestamp"));
                            }
                            timestamp__ = Some(map_.next_value()?);
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(Decision {
                    id: id__.unwrap_or_default(),
                    action: action__.unwrap_or_default(),
                    engine: engine__,
                    mode: mode__.unwrap_or_default(),
                    reasoning: reasoning__.unwrap_or_default(),
                    input: input__,
                    timestamp: timestamp__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.Decision", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for DecisionInput {
    #[allow(deprecated)]
    fn serialize<S>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error>
    where
        S: serde::Serializer,
    {
        use serde::ser::SerializeStruct;
        let mut len = 0;
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("bywash.v1.DecisionInput", len)?;
        if true {
            struct_ser.serialize_field("name", &self.name)?;
        }
        if true {
            struct_ser.serialize_field("value", &self.value)?;
        }
        if true {
            struct_ser.serialize_field("observed_at", &self.observed_at)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for DecisionInput {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "name",
            "value",
            "observed_at",
            "observedAt",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Name,
            Value,
            ObservedAt,
            __SkipField__,
        }
        impl<'de> serde::Deserialize<'de> for GeneratedField {
            fn deserialize<D>(deserializer: D) -> std::result::Result<GeneratedField, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                struct GeneratedVisitor;

                impl serde::de::Visitor<'_> for GeneratedVisitor {
                    type Value = GeneratedField;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(formatter, "expected one of: {:?}", &FIELDS)
                    }

                    #[allow(unused_variables)]
                    fn visit_str<E>(self, value: &str) -> std::result::Result<GeneratedField, E>
                    where
                        E: serde::de::Error,
                    {
                        match value {
                            "name" => Ok(GeneratedField::Name),
                            "value" => Ok(GeneratedField::Value),
                            "observedAt" | "observed_at" => Ok(GeneratedField::ObservedAt),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = DecisionInput;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.DecisionInput")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<DecisionInput, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut name__ = None;
                let mut value__ = None;
                let mut observed_at__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Name => {
                            if name__.is_some() {
                                return Err(serde::de::Error::duplicate_field("name"));
                            }
                            name__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Value => {
                            if value__.is_some() {
                                return Err(serde::de::Error::duplicate_field("value"));
                            }
                            value__ = Some(map_.next_value()?);
                        }
                        GeneratedField::ObservedAt => {
                            if observed_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("observedAt"));
                            }
                            observed_at__ = Some(map_.next_value()?);
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(DecisionInput {
                    name: name__.unwrap_or_default(),
                    value: value__.unwrap_or_default(),
                    observed_at: observed_at__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.DecisionInput", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for FactAdded {
    #[allow(deprecated)]
    fn serialize<S>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error>
    where
        S: serde::Serializer,
    {
        use serde::ser::SerializeStruct;
        let mut len = 0;
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("bywash.v1.FactAdded", len)?;
        if true {
            struct_ser.serialize_field("id", &self.id)?;
        }
        if true {
            struct_ser.serialize_field("statement", &self.statement)?;
        }
        if true {
            struct_ser.serialize_field("context", &self.context)?;
        }
        if true {
            struct_ser.serialize_field("confidence", &self.confidence)?;
        }
        if true {
            struct_ser.serialize_field("created_at", &self.created_at)?;
        }
        if true {
            struct_ser.serialize_field("revision", &self.revision)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for FactAdded {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "id",
            "statement",
            "context",
            "confidence",
            "created_at",
            "createdAt",
            "revision",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Id,
            Statement,
            Context,
            Confidence,
            CreatedAt,
            Revision,
            __SkipField__,
        }
        impl<'de> serde::Deserialize<'de> for GeneratedField {
            fn deserialize<D>(deserializer: D) -> std::result::Result<GeneratedField, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                struct GeneratedVisitor;

                impl serde::de::Visitor<'_> for GeneratedVisitor {
                    type Value = GeneratedField;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(formatter, "expected one of: {:?}", &FIELDS)
                    }

                    #[allow(unused_variables)]
                    fn visit_str<E>(self, value: &str) -> std::result::Result<GeneratedField, E>
                    where
                        E: serde::de::Error,
                    {
                        match value {
                            "id" => Ok(GeneratedField::Id),
                            "statement" => Ok(GeneratedField::Statement),
                            "context" => Ok(GeneratedField::Context),
                            "confidence" => Ok(GeneratedField::Confidence),
                            "createdAt" | "created_at" => Ok(GeneratedField::CreatedAt),
                            "revision" => Ok(GeneratedField::Revision),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = FactAdded;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.FactAdded")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<FactAdded, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut id__ = None;
                let mut statement__ = None;
                let mut context__ = None;
                let mut confidence__ = None;
                let mut created_at__ = None;
                let mut revision__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Id => {
                            if id__.is_some() {
                                return Err(serde::de::Error::duplicate_field("id"));
                            }
                            id__ = 
                                Some(map_.next_value::<::pbjson::private::NumberDeserialize<_>>()?.0)
                            ;
                        }
                        GeneratedField::Statement => {
                            if statement__.is_some() {
                                return Err(serde::de::Error::duplicate_field("statement"));
                            }
                            statement__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Context => {
                            if context__.is_some() {
                                return Err(serde::de::Error::duplicate_field("context"));
                            }
                            context__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Confidence => {
                            if confidence__.is_some() {
                                return Err(serde::de::Error::duplicate_field("confidence"));
                            }
                            confidence__ = 
                                Some(map_.next_value::<::pbjson::private::NumberDeserialize<_>>()?.0)
                            ;
                        }
                        GeneratedField::CreatedAt => {
                            if created_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("createdAt"));
                            }
                            created_at__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Revision => {
                            if revision__.is_some() {
                                return Err(serde::de::Error::duplicate_field("revision"));
                            }
                            revision__ = 
                                Some(map_.next_value::<::pbjson::private::NumberDeserialize<_>>()?.0)
                            ;
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(FactAdded {
                    id: id__.unwrap_or_default(),
                    statement: statement__.unwrap_or_default(),
                    context: context__.unwrap_or_default(),
                    confidence: confidence__.unwrap_or_default(),
                    created_at: created_at__.unwrap_or_default(),
                    revision: revision__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.FactAdded", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for FactsImported {
    #[allow(deprecated)]
    fn serialize<S>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error>
    where
        S: serde::Serializer,
    {
        use serde::ser::SerializeStruct;
        let mut len = 0;
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("bywash.v1.FactsImported", len)?;
        if true {
            struct_ser.serialize_field("count", &self.count)?;
        }
        if true {
            struct_ser.serialize_field("first_id", &self.first_id)?;
        }
        if true {
            struct_ser.serialize_field("last_id", &self.last_id)?;
        }
        if true {
            struct_ser.serialize_field("created_at", &self.created_at)?;
        }
        if true {
            struct_ser.serialize_field("revision", &self.revision)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for FactsImported {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "count",
            "first_id",
            "firstId",
            "last_id",
            "lastId",
            "created_at",
            "createdAt",
            "revision",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Count,
            FirstId,
            LastId,
            CreatedAt,
            Revision,
            __SkipField__,
        }
        impl<'de> serde::Deserialize<'de> for GeneratedField {
            fn deserialize<D>(deserializer: D) -> std::result::Result<GeneratedField, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                struct GeneratedVisitor;

                impl serde::de::Visitor<'_> for GeneratedVisitor {
                    type Value = GeneratedField;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(formatter, "expected one of: {:?}", &FIELDS)
                    }

                    #[allow(unused_variables)]
                    fn visit_str<E>(self, value: &str) -> std::result::Result<GeneratedField, E>
                    where
                        E: serde::de::Error,
                    {
                        match value {
                            "count" => Ok(GeneratedField::Count),
                            "firstId" | "first_id" => Ok(GeneratedField::FirstId),
                            "lastId" | "last_id" => Ok(GeneratedField::LastId),
                            "createdAt" | "created_at" => Ok(GeneratedField::CreatedAt),
                            "revision" => Ok(GeneratedField::Revision),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = FactsImported;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.FactsImported")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<FactsImported, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut count__ = None;
                let mut first_id__ = None;
                let mut last_id__ = None;
                let mut created_at__ = None;
                let mut revision__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Count => {
                            if count__.is_some() {
                                return Err(serde::de::Error::duplicate_field("count"));
                            }
                            count__ = 
                                Some(map_.next_value::<::pbjson::private::NumberDeserialize<_>>()?.0)
                            ;
                        }
                        GeneratedField::FirstId => {
                            if first_id__.is_some() {
                                return Err(serde::de::Error::duplicate_field("firstId"));
                            }
                            first_id__ = 
                                Some(map_.next_value::<::pbjson::private::NumberDeserialize<_>>()?.0)
                            ;
                        }
                        GeneratedField::LastId => {
                            if last_id__.is_some() {
                                return Err(serde::de::Error::duplicate_field("lastId"));
                            }
                            last_id__ = 
                                Some(map_.next_value::<::pbjson::private::NumberDeserialize<_>>()?.0)
                            ;
                        }
                        GeneratedField::CreatedAt => {
                            if created_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("createdAt"));
                            }
                            created_at__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Revision => {
                            if revision__.is_some() {
                                return Err(serde::de::Error::duplicate_field("revision"));
                            }
                            revision__ = 
                                Some(map_.next_value::<::pbjson::private::NumberDeserialize<_>>()?.0)
                            ;
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(FactsImported {
                    count: count__.unwrap_or_default(),
                    first_id: first_id__.unwrap_or_default(),
                    last_id: last_id__.unwrap_or_default(),
                    created_at: created_at__.unwrap_or_default(),
                    revision: revision__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.FactsImported", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for GatewayState {
    #[allow(deprecated)]
    fn serialize<S>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error>
    where
        S: serde::Serializer,
    {
        use serde::ser::SerializeStruct;
        let mut len = 0;
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("bywash.v1.GatewayState", len)?;
        if true {
            struct_ser.serialize_field("pod", &self.pod)?;
        }
        if true {
            struct_ser.serialize_field("connections", &self.connections)?;
        }
        if true {
            struct_ser.serialize_field("delivered", &self.delivered)?;
        }
        if true {
            struct_ser.serialize_field("behind", &self.behind)?;
        }
        if true {
            struct_ser.serialize_field("time", &self.time)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for GatewayState {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "pod",
            "connections",
            "delivered",
            "behind",
            "time",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Pod,
            Connections,
            Delivered,
            Behind,
            Time,
            __SkipField__,
        }
        impl<'de> serde::Deserialize<'de> for GeneratedField {
            fn deserialize<D>(deserializer: D) -> std::result::Result<GeneratedField, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                struct GeneratedVisitor;

                impl serde::de::Visitor<'_> for GeneratedVisitor {
                    type Value = GeneratedField;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(formatter, "expected one of: {:?}", &FIELDS)
                    }

                    #[allow(unused_variables)]
                    fn visit_str<E>(self, value: &str) -> std::result::Result<GeneratedField, E>
                    where
                        E: serde::de::Error,
                    {
                        match value {
                            "pod" => Ok(GeneratedField::Pod),
                            "connections" => Ok(GeneratedField::Connections),
                            "delivered" => Ok(GeneratedField::Delivered),
                            "behind" => Ok(GeneratedField::Behind),
                            "time" => Ok(GeneratedField::Time),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = GatewayState;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.GatewayState")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<GatewayState, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut pod__ = None;
                let mut connections__ = None;
                let mut delivered__ = None;
                let mut behind__ = None;
                let mut time__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Pod => {
                            if pod__.is_some() {
                                return Err(serde::de::Error::duplicate_field("pod"));
                            }
                            pod__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Connections => {
                            if connections__.is_some() {
                                return Err(serde::de::Error::duplicate_field("connections"));
                            }
                            connections__ = 
                                Some(map_.next_value::<::pbjson::private::NumberDeserialize<_>>()?.0)
                            ;
                        }
                        GeneratedField::Delivered => {
                            if delivered__.is_some() {
                                return Err(serde::de::Error::duplicate_field("delivered"));
                            }
                            delivered__ = 
                                Some(map_.next_value::<::pbjson::private::NumberDeserialize<_>>()?.0)
                            ;
                        }
                        GeneratedField::Behind => {
                            if behind__.is_some() {
                                return Err(serde::de::Error::duplicate_field("behind"));
                            }
                            behind__ = 
                                Some(map_.next_value::<::pbjson::private::NumberDeserialize<_>>()?.0)
                            ;
                        }
                        GeneratedField::Time => {
                            if time__.is_some() {
                                return Err(serde::de::Error::duplicate_field("time"));
                            }
                            time__ = Some(map_.next_value()?);
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(GatewayState {
                    pod: pod__.unwrap_or_default(),
                    connections: connections__.unwrap_or_default(),
                    delivered: delivered__.unwrap_or_default(),
                    behind: behind__.unwrap_or_default(),
                    time: time__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.GatewayState", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for GovernorState {
    #[allow(deprecated)]
    fn serialize<S>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error>
    where
        S: serde::Serializer,
    {
        use serde::ser::SerializeStruct;
        let mut len = 0;
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("bywash.v1.GovernorState", len)?;
        if true {
            struct_ser.serialize_field("instance", &self.instance)?;
        }
        if true {
            struct_ser.serialize_field("running", &self.running)?;
        }
        if true {
            struct_ser.serialize_field("mode", &self.mode)?;
        }
        if true {
            struct_ser.serialize_field("decisions_made", &self.decisions_made)?;
        }
        if let Some(v) = self.last_decision.as_ref() {
            struct_ser.serialize_field("last_decision", v)?;
        }
        if true {
            struct_ser.serialize_field("engines", &self.engines)?;
        }
        if true {
            struct_ser.serialize_field("summary", &self.summary)?;
        }
        if true {
            struct_ser.serialize_field("time", &self.time)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for GovernorState {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "instance",
            "running",
            "mode",
            "decisions_made",
            "decisionsMade",
            "last_decision",
            "lastDecision",
            "engines",
            "summary",
            "time",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Instance,
            Running,
            Mode,
            DecisionsMade,
            LastDecision,
            Engines,
            Summary,
            Time,
            __SkipField__,
        }
        impl<'de> serde::Deserialize<'de> for GeneratedField {
            fn deserialize<D>(deserializer: D) -> std::result::Result<GeneratedField, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                struct GeneratedVisitor;

                impl serde::de::Visitor<'_> for GeneratedVisitor {
                    type Value = GeneratedField;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(formatter, "expected one of: {:?}", &FIELDS)
                    }

                    #[allow(unused_variables)]
                    fn visit_str<E>(self, value: &str) -> std::result::Result<GeneratedField, E>
                    where
                        E: serde::de::Error,
                    {
                        match value {
                            "instance" => Ok(GeneratedField::Instance),
                            "running" => Ok(GeneratedField::Running),
                            "mode" => Ok(GeneratedField::Mode),
                            "decisionsMade" | "decisions_made" => Ok(GeneratedField::DecisionsMade),
                            "lastDecision" | "last_decision" => Ok(GeneratedField::LastDecision),
                            "engines" => Ok(GeneratedField::Engines),
                            "summary" => Ok(GeneratedField::Summary),
                            "time" => Ok(GeneratedField::Time),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = GovernorState;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.GovernorState")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<GovernorState, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut instance__ = None;
                let mut running__ = None;
                let mut mode__ = None;
                let mut decisions_made__ = None;
                let mut last_decision__ = None;
                let mut engines__ = None;
                let mut summary__ = None;
                let mut time__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Instance => {
                            if instance__.is_some() {
                                return Err(serde::de::Error::duplicate_field("instance"));
                            }
                            instance__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Running => {
                            if running__.is_some() {
                                return Err(serde::de::Error::duplicate_field("running"));
                            }
                            running__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Mode => {
                            if mode__.is_some() {
                                return Err(serde::de::Error::duplicate_field("mode"));
                            }
                            mode__ = Some(map_.next_value()?);
                        }
                        GeneratedField::DecisionsMade => {
                            if decisions_made__.is_some() {
                                return Err(serde::de::Error::duplicate_field("decisionsMade"));
                            }
                            decisions_made__ = 
                                Some(map_.next_value::<::pbjson::private::NumberDeserialize<_>>()?.0)
                            ;
                        }
                        GeneratedField::LastDecision => {
                            if last_decision__.is_some() {
                                return Err(serde::de::Error::duplicate_field("lastDecision"));
                            }
                            last_decision__ = map_.next_value()?;
                        }
                        GeneratedField::Engines => {
                            if engines__.is_some() {
                                return Err(serde::de::Error::duplicate_field("engines"));
                            }
                            engines__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Summary => {
                            if summary__.is_some() {
                                return Err(serde::de::Error::duplicate_field("summary"));
                            }
                            summary__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Time => {
                            if time__.is_some() {
                                return Err(serde::de::Error::duplicate_field("time"));
                            }
                            time__ = Some(map_.next_value()?);
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(GovernorState {
                    instance: instance__.unwrap_or_default(),
                    running: running__.unwrap_or_default(),
                    mode: mode__.unwrap_or_default(),
                    decisions_made: decisions_made__.unwrap_or_default(),
                    last_decision: last_decision__,
                    engines: engines__.unwrap_or_default(),
                    summary: summary__.unwrap_or_default(),
                    time: time__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.GovernorState", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for Gpu {
    #[allow(deprecated)]
    fn serialize<S>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error>
    where
        S: serde::Serializer,
    {
        use serde::ser::SerializeStruct;
        let mut len = 0;
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("bywash.v1.Gpu", len)?;
        if true {
            struct_ser.serialize_field("index", &self.index)?;
        }
        if true {
            struct_ser.serialize_field("name", &self.name)?;
        }
        if let Some(v) = self.uuid.as_ref() {
            struct_ser.serialize_field("uuid", v)?;
        }
        if let Some(v) = self.utilization_percent.as_ref() {
            struct_ser.serialize_field("utilization_percent", v)?;
        }
        if let Some(v) = self.memory_used_bytes.as_ref() {
            struct_ser.serialize_field("memory_used_bytes", v)?;
        }
        if let Some(v) = self.memory_total_bytes.as_ref() {
            struct_ser.serialize_field("memory_total_bytes", v)?;
        }
        if let Some(v) = self.temperature_celsius.as_ref() {
            struct_ser.serialize_field("temperature_celsius", v)?;
        }
        if let Some(v) = self.power_watts.as_ref() {
            struct_ser.serialize_field("power_watts", v)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for Gpu {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "index",
            "name",
            "uuid",
            "utilization_percent",
            "utilizationPercent",
            "memory_used_bytes",
            "memoryUsedBytes",
            "memory_total_bytes",
            "memoryTotalBytes",
            "temperature_celsius",
            "temperatureCelsius",
            "power_watts",
            "powerWatts",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Index,
            Name,
            Uuid,
            UtilizationPercent,
            MemoryUsedBytes,
            MemoryTotalBytes,
            TemperatureCelsius,
            PowerWatts,
            __SkipField__,
        }
        impl<'de> serde::Deserialize<'de> for GeneratedField {
            fn deserialize<D>(deserializer: D) -> std::result::Result<GeneratedField, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                struct GeneratedVisitor;

                impl serde::de::Visitor<'_> for GeneratedVisitor {
                    type Value = GeneratedField;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(formatter, "expected one of: {:?}", &FIELDS)
                    }

                    #[allow(unused_variables)]
                    fn visit_str<E>(self, value: &str) -> std::result::Result<GeneratedField, E>
                    where
                        E: serde::de::Error,
                    {
                        match value {
                            "index" => Ok(GeneratedField::Index),
                            "name" => Ok(GeneratedField::Name),
                            "uuid" => Ok(GeneratedField::Uuid),
                            "utilizationPercent" | "utilization_percent" => Ok(GeneratedField::UtilizationPercent),
                            "memoryUsedBytes" | "memory_used_bytes" => Ok(GeneratedField::MemoryUsedBytes),
                            "memoryTotalBytes" | "memory_total_bytes" => Ok(GeneratedField::MemoryTotalBytes),
                            "temperatureCelsius" | "temperature_celsius" => Ok(GeneratedField::TemperatureCelsius),
                            "powerWatts" | "power_watts" => Ok(GeneratedField::PowerWatts),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = Gpu;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.Gpu")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<Gpu, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut index__ = None;
                let mut name__ = None;
                let mut uuid__ = None;
                let mut utilization_percent__ = None;
                let mut memory_used_bytes__ = None;
                let mut memory_total_bytes__ = None;
                let mut temperature_celsius__ = None;
                let mut power_watts__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Index => {
                            if index__.is_some() {
                                return Err(serde::de::Error::duplicate_field("index"));
                            }
                            index__ = 
                                Some(map_.next_value::<::pbjson::private::NumberDeserialize<_>>()?.0)
                            ;
                        }
                        GeneratedField::Name => {
                            if name__.is_some() {
                                return Err(serde::de::Error::duplicate_field("name"));
                            }
                            name__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Uuid => {
                            if uuid__.is_some() {
                                return Err(serde::de::Error::duplicate_field("uuid"));
                            }
                            uuid__ = map_.next_value()?;
                        }
                        GeneratedField::UtilizationPercent => {
                            if utilization_percent__.is_some() {
                                return Err(serde::de::Error::duplicate_field("utilizationPercent"));
                            }
                            utilization_percent__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::MemoryUsedBytes => {
                            if memory_used_bytes__.is_some() {
                                return Err(serde::de::Error::duplicate_field("memoryUsedBytes"));
                            }
                            memory_used_bytes__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::MemoryTotalBytes => {
                            if memory_total_bytes__.is_some() {
                                return Err(serde::de::Error::duplicate_field("memoryTotalBytes"));
                            }
                            memory_total_bytes__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::TemperatureCelsius => {
                            if temperature_celsius__.is_some() {
                                return Err(serde::de::Error::duplicate_field("temperatureCelsius"));
                            }
                            temperature_celsius__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::PowerWatts => {
                            if power_watts__.is_some() {
                                return Err(serde::de::Error::duplicate_field("powerWatts"));
                            }
                            power_watts__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(Gpu {
                    index: index__.unwrap_or_default(),
                    name: name__.unwrap_or_default(),
                    uuid: uuid__,
                    utilization_percent: utilization_percent__,
                    memory_used_bytes: memory_used_bytes__,
                    memory_total_bytes: memory_total_bytes__,
                    temperature_celsius: temperature_celsius__,
                    power_watts: power_watts__,
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.Gpu", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for GpuState {
    #[allow(deprecated)]
    fn serialize<S>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error>
    where
        S: serde::Serializer,
    {
        use serde::ser::SerializeStruct;
        let mut len = 0;
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("bywash.v1.GpuState", len)?;
        if true {
            struct_ser.serialize_field("node", &self.node)?;
        }
        if true {
            struct_ser.serialize_field("source", &self.source)?;
        }
        if true {
            struct_ser.serialize_field("gpus", &self.gpus)?;
        }
        if true {
            struct_ser.serialize_field("time", &self.time)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for GpuState {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "node",
            "source",
            "gpus",
            "time",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Node,
            Source,
            Gpus,
            Time,
            __SkipField__,
        }
        impl<'de> serde::Deserialize<'de> for GeneratedField {
            fn deserialize<D>(deserializer: D) -> std::result::Result<GeneratedField, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                struct GeneratedVisitor;

                impl serde::de::Visitor<'_> for GeneratedVisitor {
                    type Value = GeneratedField;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(formatter, "expected one of: {:?}", &FIELDS)
                    }

                    #[allow(unused_variables)]
                    fn visit_str<E>(self, value: &str) -> std::result::Result<GeneratedField, E>
                    where
                        E: serde::de::Error,
                    {
                        match value {
                            "node" => Ok(GeneratedField::Node),
                            "source" => Ok(GeneratedField::Source),
                            "gpus" => Ok(GeneratedField::Gpus),
                            "time" => Ok(GeneratedField::Time),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = GpuState;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.GpuState")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<GpuState, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut node__ = None;
                let mut source__ = None;
                let mut gpus__ = None;
                let mut time__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Node => {
                            if node__.is_some() {
                                return Err(serde::de::Error::duplicate_field("node"));
                            }
                            node__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Source => {
                            if source__.is_some() {
                                return Err(serde::de::Error::duplicate_field("source"));
                            }
                            source__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Gpus => {
                            if gpus__.is_some() {
                                return Err(serde::de::Error::duplicate_field("gpus"));
                            }
                            gpus__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Time => {
                            if time__.is_some() {
                                return Err(serde::de::Error::duplicate_field("time"));
                            }
                            time__ = Some(map_.next_value()?);
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(GpuState {
                    node: node__.unwrap_or_default(),
                    source: source__.unwrap_or_default(),
                    gpus: gpus__.unwrap_or_default(),
                    time: time__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.GpuState", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for KnowledgeBaseState {
    #[allow(deprecated)]
    fn serialize<S>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error>
    where
        S: serde::Serializer,
    {
        use serde::ser::SerializeStruct;
        let mut len = 0;
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("bywash.v1.KnowledgeBaseState", len)?;
        if true {
            struct_ser.serialize_field("instance", &self.instance)?;
        }
        if true {
            struct_ser.serialize_field("epoch", &self.epoch)?;
        }
        if true {
            struct_ser.serialize_field("revision", &self.revision)?;
        }
        if true {
            struct_ser.serialize_field("fact_count", &self.fact_count)?;
        }
        if true {
            struct_ser.serialize_field("relay_lag_changes", &self.relay_lag_changes)?;
        }
        if let Some(v) = self.relay_lag_seconds.as_ref() {
            struct_ser.serialize_field("relay_lag_seconds", v)?;
        }
        if true {
            struct_ser.serialize_field("time", &self.time)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for KnowledgeBaseState {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "instance",
            "epoch",
            "revision",
            "fact_count",
            "factCount",
            "relay_lag_changes",
            "relayLagChanges",
            "relay_lag_seconds",
            "relayLagSeconds",
            "time",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Instance,
            Epoch,
            Revision,
            FactCount,
            RelayLagChanges,
            RelayLagSeconds,
            Time,
            __SkipField__,
        }
        impl<'de> serde::Deserialize<'de> for GeneratedField {
            fn deserialize<D>(deserializer: D) -> std::result::Result<GeneratedField, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                struct GeneratedVisitor;

                impl serde::de::Visitor<'_> for GeneratedVisitor {
                    type Value = GeneratedField;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(formatter, "expected one of: {:?}", &FIELDS)
                    }

                    #[allow(unused_variables)]
                    fn visit_str<E>(self, value: &str) -> std::result::Result<GeneratedField, E>
                    where
                        E: serde::de::Error,
                    {
                        match value {
                            "instance" => Ok(GeneratedField::Instance),
                            "epoch" => Ok(GeneratedField::Epoch),
                            "revision" => Ok(GeneratedField::Revision),
                            "factCount" | "fact_count" => Ok(GeneratedField::FactCount),
                            "relayLagChanges" | "relay_lag_changes" => Ok(GeneratedField::RelayLagChanges),
                            "relayLagSeconds" | "relay_lag_seconds" => Ok(GeneratedField::RelayLagSeconds),
                            "time" => Ok(GeneratedField::Time),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = KnowledgeBaseState;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.KnowledgeBaseState")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<KnowledgeBaseState, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut instance__ = None;
                let mut epoch__ = None;
                let mut revision__ = None;
                let mut fact_count__ = None;
                let mut relay_lag_changes__ = None;
                let mut relay_lag_seconds__ = None;
                let mut time__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Instance => {
                            if instance__.is_some() {
                                return Err(serde::de::Error::duplicate_field("instance"));
                            }
                            instance__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Epoch => {
                            if epoch__.is_some() {
                                return Err(serde::de::Error::duplicate_field("epoch"));
                            }
                            epoch__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Revision => {
                            if revision__.is_some() {
                                return Err(serde::de::Error::duplicate_field("revision"));
                            }
                            revision__ = 
                                Some(map_.next_value::<::pbjson::private::NumberDeserialize<_>>()?.0)
                            ;
                        }
                        GeneratedField::FactCount => {
                            if fact_count__.is_some() {
                                return Err(serde::de::Error::duplicate_field("factCount"));
                            }
                            fact_count__ = 
                                Some(map_.next_value::<::pbjson::private::NumberDeserialize<_>>()?.0)
                            ;
                        }
                        GeneratedField::RelayLagChanges => {
                            if relay_lag_changes__.is_some() {
                                return Err(serde::de::Error::duplicate_field("relayLagChanges"));
                            }
                            relay_lag_changes__ = 
                                Some(map_.next_value::<::pbjson::private::NumberDeserialize<_>>()?.0)
                            ;
                        }
                        GeneratedField::RelayLagSeconds => {
                            if relay_lag_seconds__.is_some() {
                                return Err(serde::de::Error::duplicate_field("relayLagSeconds"));
                            }
                            relay_lag_seconds__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::Time => {
                            if time__.is_some() {
                                return Err(serde::de::Error::duplicate_field("time"));
                            }
                            time__ = Some(map_.next_value()?);
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(KnowledgeBaseState {
                    instance: instance__.unwrap_or_default(),
                    epoch: epoch__.unwrap_or_default(),
                    revision: revision__.unwrap_or_default(),
                    fact_count: fact_count__.unwrap_or_default(),
                    relay_lag_changes: relay_lag_changes__.unwrap_or_default(),
                    relay_lag_seconds: relay_lag_seconds__,
                    time: time__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.KnowledgeBaseState", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for SystemState {
    #[allow(deprecated)]
    fn serialize<S>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error>
    where
        S: serde::Serializer,
    {
        use serde::ser::SerializeStruct;
        let mut len = 0;
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("bywash.v1.SystemState", len)?;
        if true {
            struct_ser.serialize_field("node", &self.node)?;
        }
        if let Some(v) = self.cpu_percent.as_ref() {
            struct_ser.serialize_field("cpu_percent", v)?;
        }
        if let Some(v) = self.cpu_count.as_ref() {
            struct_ser.serialize_field("cpu_count", v)?;
        }
        if let Some(v) = self.load_1m.as_ref() {
            struct_ser.serialize_field("load_1m", v)?;
        }
        if let Some(v) = self.memory_used_bytes.as_ref() {
            struct_ser.serialize_field("memory_used_bytes", v)?;
        }
        if let Some(v) = self.memory_total_bytes.as_ref() {
            struct_ser.serialize_field("memory_total_bytes", v)?;
        }
        if let Some(v) = self.disk_used_bytes.as_ref() {
            struct_ser.serialize_field("disk_used_bytes", v)?;
        }
        if let Some(v) = self.disk_total_bytes.as_ref() {
            struct_ser.serialize_field("disk_total_bytes", v)?;
        }
        if let Some(v) = self.network_receive_bytes_per_second.as_ref() {
            struct_ser.serialize_field("network_receive_bytes_per_second", v)?;
        }
        if let Some(v) = self.network_transmit_bytes_per_second.as_ref() {
            struct_ser.serialize_field("network_transmit_bytes_per_second", v)?;
        }
        if let Some(v) = self.cpu_pressure_percent.as_ref() {
            struct_ser.serialize_field("cpu_pressure_percent", v)?;
        }
        if true {
            struct_ser.serialize_field("time", &self.time)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for SystemState {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "node",
            "cpu_percent",
            "cpuPercent",
            "cpu_count",
            "cpuCount",
            "load_1m",
            "load1m",
            "memory_used_bytes",
            "memoryUsedBytes",
            "memory_total_bytes",
            "memoryTotalBytes",
            "disk_used_bytes",
            "diskUsedBytes",
            "disk_total_bytes",
            "diskTotalBytes",
            "network_receive_bytes_per_second",
            "networkReceiveBytesPerSecond",
            "network_transmit_bytes_per_second",
            "networkTransmitBytesPerSecond",
            "cpu_pressure_percent",
            "cpuPressurePercent",
            "time",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Node,
            CpuPercent,
            CpuCount,
            Load1m,
            MemoryUsedBytes,
            MemoryTotalBytes,
            DiskUsedBytes,
            DiskTotalBytes,
            NetworkReceiveBytesPerSecond,
            NetworkTransmitBytesPerSecond,
            CpuPressurePercent,
            Time,
            __SkipField__,
        }
        impl<'de> serde::Deserialize<'de> for GeneratedField {
            fn deserialize<D>(deserializer: D) -> std::result::Result<GeneratedField, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                struct GeneratedVisitor;

                impl serde::de::Visitor<'_> for GeneratedVisitor {
                    type Value = GeneratedField;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(formatter, "expected one of: {:?}", &FIELDS)
                    }

                    #[allow(unused_variables)]
                    fn visit_str<E>(self, value: &str) -> std::result::Result<GeneratedField, E>
                    where
                        E: serde::de::Error,
                    {
                        match value {
                            "node" => Ok(GeneratedField::Node),
                            "cpuPercent" | "cpu_percent" => Ok(GeneratedField::CpuPercent),
                            "cpuCount" | "cpu_count" => Ok(GeneratedField::CpuCount),
                            "load1m" | "load_1m" => Ok(GeneratedField::Load1m),
                            "memoryUsedBytes" | "memory_used_bytes" => Ok(GeneratedField::MemoryUsedBytes),
                            "memoryTotalBytes" | "memory_total_bytes" => Ok(GeneratedField::MemoryTotalBytes),
                            "diskUsedBytes" | "disk_used_bytes" => Ok(GeneratedField::DiskUsedBytes),
                            "diskTotalBytes" | "disk_total_bytes" => Ok(GeneratedField::DiskTotalBytes),
                            "networkReceiveBytesPerSecond" | "network_receive_bytes_per_second" => Ok(GeneratedField::NetworkReceiveBytesPerSecond),
                            "networkTransmitBytesPerSecond" | "network_transmit_bytes_per_second" => Ok(GeneratedField::NetworkTransmitBytesPerSecond),
                            "cpuPressurePercent" | "cpu_pressure_percent" => Ok(GeneratedField::CpuPressurePercent),
                            "time" => Ok(GeneratedField::Time),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = SystemState;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.SystemState")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<SystemState, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut node__ = None;
                let mut cpu_percent__ = None;
                let mut cpu_count__ = None;
                let mut load_1m__ = None;
                let mut memory_used_bytes__ = None;
                let mut memory_total_bytes__ = None;
                let mut disk_used_bytes__ = None;
                let mut disk_total_bytes__ = None;
                let mut network_receive_bytes_per_second__ = None;
                let mut network_transmit_bytes_per_second__ = None;
                let mut cpu_pressure_percent__ = None;
                let mut time__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Node => {
                            if node__.is_some() {
                                return Err(serde::de::Error::duplicate_field("node"));
                            }
                            node__ = Some(map_.next_value()?);
                        }
                        GeneratedField::CpuPercent => {
                            if cpu_percent__.is_some() {
                                return Err(serde::de::Error::duplicate_field("cpuPercent"));
                            }
                            cpu_percent__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::CpuCount => {
                            if cpu_count__.is_some() {
                                return Err(serde::de::Error::duplicate_field("cpuCount"));
                            }
                            cpu_count__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::Load1m => {
                            if load_1m__.is_some() {
                                return Err(serde::de::Error::duplicate_field("load1m"));
                            }
                            load_1m__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::MemoryUsedBytes => {
                            if memory_used_bytes__.is_some() {
                                return Err(serde::de::Error::duplicate_field("memoryUsedBytes"));
                            }
                            memory_used_bytes__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::MemoryTotalBytes => {
                            if memory_total_bytes__.is_some() {
                                return Err(serde::de::Error::duplicate_field("memoryTotalBytes"));
                            }
                            memory_total_bytes__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::DiskUsedBytes => {
                            if disk_used_bytes__.is_some() {
                                return Err(serde::de::Error::duplicate_field("diskUsedBytes"));
                            }
                            disk_used_bytes__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::DiskTotalBytes => {
                            if disk_total_bytes__.is_some() {
                                return Err(serde::de::Error::duplicate_field("diskTotalBytes"));
                            }
                            disk_total_bytes__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::NetworkReceiveBytesPerSecond => {
                            if network_receive_bytes_per_second__.is_some() {
                                return Err(serde::de::Error::duplicate_field("networkReceiveBytesPerSecond"));
                            }
                            network_receive_bytes_per_second__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::NetworkTransmitBytesPerSecond => {
                            if network_transmit_bytes_per_second__.is_some() {
                                return Err(serde::de::Error::duplicate_field("networkTransmitBytesPerSecond"));
                            }
                            network_transmit_bytes_per_second__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::CpuPressurePercent => {
                            if cpu_pressure_percent__.is_some() {
                                return Err(serde::de::Error::duplicate_field("cpuPressurePercent"));
                            }
                            cpu_pressure_percent__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::Time => {
                            if time__.is_some() {
                                return Err(serde::de::Error::duplicate_field("time"));
                            }
                            time__ = Some(map_.next_value()?);
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(SystemState {
                    node: node__.unwrap_or_default(),
                    cpu_percent: cpu_percent__,
                    cpu_count: cpu_count__,
                    load_1m: load_1m__,
                    memory_used_bytes: memory_used_bytes__,
                    memory_total_bytes: memory_total_bytes__,
                    disk_used_bytes: disk_used_bytes__,
                    disk_total_bytes: disk_total_bytes__,
                    network_receive_bytes_per_second: network_receive_bytes_per_second__,
                    network_transmit_bytes_per_second: network_transmit_bytes_per_second__,
                    cpu_pressure_percent: cpu_pressure_percent__,
                    time: time__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.SystemState", FIELDS, GeneratedVisitor)
    }
}
