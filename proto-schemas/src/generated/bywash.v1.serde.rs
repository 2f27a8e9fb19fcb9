impl serde::Serialize for AdapterState {
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
        let mut struct_ser = serializer.serialize_struct("bywash.v1.AdapterState", len)?;
        if true {
            struct_ser.serialize_field("instance", &self.instance)?;
        }
        if true {
            struct_ser.serialize_field("current_adapter", &self.current_adapter)?;
        }
        if let Some(v) = self.adapters.as_ref() {
            struct_ser.serialize_field("adapters", v)?;
        }
        if true {
            struct_ser.serialize_field("time", &self.time)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for AdapterState {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "instance",
            "current_adapter",
            "currentAdapter",
            "adapters",
            "time",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Instance,
            CurrentAdapter,
            Adapters,
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
                            "currentAdapter" | "current_adapter" => Ok(GeneratedField::CurrentAdapter),
                            "adapters" => Ok(GeneratedField::Adapters),
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
            type Value = AdapterState;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.AdapterState")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<AdapterState, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut instance__ = None;
                let mut current_adapter__ = None;
                let mut adapters__ = None;
                let mut time__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Instance => {
                            if instance__.is_some() {
                                return Err(serde::de::Error::duplicate_field("instance"));
                            }
                            instance__ = Some(map_.next_value()?);
                        }
                        GeneratedField::CurrentAdapter => {
                            if current_adapter__.is_some() {
                                return Err(serde::de::Error::duplicate_field("currentAdapter"));
                            }
                            current_adapter__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Adapters => {
                            if adapters__.is_some() {
                                return Err(serde::de::Error::duplicate_field("adapters"));
                            }
                            adapters__ = map_.next_value()?;
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
                Ok(AdapterState {
                    instance: instance__.unwrap_or_default(),
                    current_adapter: current_adapter__.unwrap_or_default(),
                    adapters: adapters__,
                    time: time__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.AdapterState", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for CollectionCreated {
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
        let mut struct_ser = serializer.serialize_struct("bywash.v1.CollectionCreated", len)?;
        if true {
            struct_ser.serialize_field("collection", &self.collection)?;
        }
        if true {
            struct_ser.serialize_field("embedding_model", &self.embedding_model)?;
        }
        if true {
            struct_ser.serialize_field("dimension", &self.dimension)?;
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
impl<'de> serde::Deserialize<'de> for CollectionCreated {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "collection",
            "embedding_model",
            "embeddingModel",
            "dimension",
            "created_at",
            "createdAt",
            "revision",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Collection,
            EmbeddingModel,
            Dimension,
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
                            "collection" => Ok(GeneratedField::Collection),
                            "embeddingModel" | "embedding_model" => Ok(GeneratedField::EmbeddingModel),
                            "dimension" => Ok(GeneratedField::Dimension),
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
            type Value = CollectionCreated;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.CollectionCreated")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<CollectionCreated, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut collection__ = None;
                let mut embedding_model__ = None;
                let mut dimension__ = None;
                let mut created_at__ = None;
                let mut revision__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Collection => {
                            if collection__.is_some() {
                                return Err(serde::de::Error::duplicate_field("collection"));
                            }
                            collection__ = Some(map_.next_value()?);
                        }
                        GeneratedField::EmbeddingModel => {
                            if embedding_model__.is_some() {
                                return Err(serde::de::Error::duplicate_field("embeddingModel"));
                            }
                            embedding_model__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Dimension => {
                            if dimension__.is_some() {
                                return Err(serde::de::Error::duplicate_field("dimension"));
                            }
                            dimension__ = 
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
                Ok(CollectionCreated {
                    collection: collection__.unwrap_or_default(),
                    embedding_model: embedding_model__.unwrap_or_default(),
                    dimension: dimension__.unwrap_or_default(),
                    created_at: created_at__.unwrap_or_default(),
                    revision: revision__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.CollectionCreated", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for CollectionDeleted {
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
        let mut struct_ser = serializer.serialize_struct("bywash.v1.CollectionDeleted", len)?;
        if true {
            struct_ser.serialize_field("collection", &self.collection)?;
        }
        if true {
            struct_ser.serialize_field("document_count", &self.document_count)?;
        }
        if true {
            struct_ser.serialize_field("deleted_at", &self.deleted_at)?;
        }
        if true {
            struct_ser.serialize_field("revision", &self.revision)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for CollectionDeleted {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "collection",
            "document_count",
            "documentCount",
            "deleted_at",
            "deletedAt",
            "revision",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Collection,
            DocumentCount,
            DeletedAt,
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
                            "collection" => Ok(GeneratedField::Collection),
                            "documentCount" | "document_count" => Ok(GeneratedField::DocumentCount),
                            "deletedAt" | "deleted_at" => Ok(GeneratedField::DeletedAt),
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
            type Value = CollectionDeleted;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.CollectionDeleted")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<CollectionDeleted, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut collection__ = None;
                let mut document_count__ = None;
                let mut deleted_at__ = None;
                let mut revision__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Collection => {
                            if collection__.is_some() {
                                return Err(serde::de::Error::duplicate_field("collection"));
                            }
                            collection__ = Some(map_.next_value()?);
                        }
                        GeneratedField::DocumentCount => {
                            if document_count__.is_some() {
                                return Err(serde::de::Error::duplicate_field("documentCount"));
                            }
                            document_count__ = 
                                Some(map_.next_value::<::pbjson::private::NumberDeserialize<_>>()?.0)
                            ;
                        }
                        GeneratedField::DeletedAt => {
                            if deleted_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("deletedAt"));
                            }
                            deleted_at__ = Some(map_.next_value()?);
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
                Ok(CollectionDeleted {
                    collection: collection__.unwrap_or_default(),
                    document_count: document_count__.unwrap_or_default(),
                    deleted_at: deleted_at__.unwrap_or_default(),
                    revision: revision__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.CollectionDeleted", FIELDS, GeneratedVisitor)
    }
}
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
impl serde::Serialize for DocumentsChanged {
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
        let mut struct_ser = serializer.serialize_struct("bywash.v1.DocumentsChanged", len)?;
        if true {
            struct_ser.serialize_field("collection", &self.collection)?;
        }
        if true {
            struct_ser.serialize_field("count", &self.count)?;
        }
        if true {
            struct_ser.serialize_field("ids", &self.ids)?;
        }
        if true {
            struct_ser.serialize_field("changed_at", &self.changed_at)?;
        }
        if true {
            struct_ser.serialize_field("revision", &self.revision)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for DocumentsChanged {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "collection",
            "count",
            "ids",
            "changed_at",
            "changedAt",
            "revision",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Collection,
            Count,
            Ids,
            ChangedAt,
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
                            "collection" => Ok(GeneratedField::Collection),
                            "count" => Ok(GeneratedField::Count),
                            "ids" => Ok(GeneratedField::Ids),
                            "changedAt" | "changed_at" => Ok(GeneratedField::ChangedAt),
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
            type Value = DocumentsChanged;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.DocumentsChanged")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<DocumentsChanged, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut collection__ = None;
                let mut count__ = None;
                let mut ids__ = None;
                let mut changed_at__ = None;
                let mut revision__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Collection => {
                            if collection__.is_some() {
                                return Err(serde::de::Error::duplicate_field("collection"));
                            }
                            collection__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Count => {
                            if count__.is_some() {
                                return Err(serde::de::Error::duplicate_field("count"));
                            }
                            count__ = 
                                Some(map_.next_value::<::pbjson::private::NumberDeserialize<_>>()?.0)
                            ;
                        }
                        GeneratedField::Ids => {
                            if ids__.is_some() {
                                return Err(serde::de::Error::duplicate_field("ids"));
                            }
                            ids__ = Some(map_.next_value()?);
                        }
                        GeneratedField::ChangedAt => {
                            if changed_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("changedAt"));
                            }
                            changed_at__ = Some(map_.next_value()?);
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
                Ok(DocumentsChanged {
                    collection: collection__.unwrap_or_default(),
                    count: count__.unwrap_or_default(),
                    ids: ids__.unwrap_or_default(),
                    changed_at: changed_at__.unwrap_or_default(),
                    revision: revision__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.DocumentsChanged", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for DocumentsDeleted {
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
        let mut struct_ser = serializer.serialize_struct("bywash.v1.DocumentsDeleted", len)?;
        if true {
            struct_ser.serialize_field("collection", &self.collection)?;
        }
        if true {
            struct_ser.serialize_field("count", &self.count)?;
        }
        if true {
            struct_ser.serialize_field("ids", &self.ids)?;
        }
        if true {
            struct_ser.serialize_field("deleted_at", &self.deleted_at)?;
        }
        if true {
            struct_ser.serialize_field("revision", &self.revision)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for DocumentsDeleted {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "collection",
            "count",
            "ids",
            "deleted_at",
            "deletedAt",
            "revision",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Collection,
            Count,
            Ids,
            DeletedAt,
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
                            "collection" => Ok(GeneratedField::Collection),
                            "count" => Ok(GeneratedField::Count),
                            "ids" => Ok(GeneratedField::Ids),
                            "deletedAt" | "deleted_at" => Ok(GeneratedField::DeletedAt),
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
            type Value = DocumentsDeleted;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.DocumentsDeleted")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<DocumentsDeleted, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut collection__ = None;
                let mut count__ = None;
                let mut ids__ = None;
                let mut deleted_at__ = None;
                let mut revision__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Collection => {
                            if collection__.is_some() {
                                return Err(serde::de::Error::duplicate_field("collection"));
                            }
                            collection__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Count => {
                            if count__.is_some() {
                                return Err(serde::de::Error::duplicate_field("count"));
                            }
                            count__ = 
                                Some(map_.next_value::<::pbjson::private::NumberDeserialize<_>>()?.0)
                            ;
                        }
                        GeneratedField::Ids => {
                            if ids__.is_some() {
                                return Err(serde::de::Error::duplicate_field("ids"));
                            }
                            ids__ = Some(map_.next_value()?);
                        }
                        GeneratedField::DeletedAt => {
                            if deleted_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("deletedAt"));
                            }
                            deleted_at__ = Some(map_.next_value()?);
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
                Ok(DocumentsDeleted {
                    collection: collection__.unwrap_or_default(),
                    count: count__.unwrap_or_default(),
                    ids: ids__.unwrap_or_default(),
                    deleted_at: deleted_at__.unwrap_or_default(),
                    revision: revision__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.DocumentsDeleted", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for EngineControlRequest {
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
        let mut struct_ser = serializer.serialize_struct("bywash.v1.EngineControlRequest", len)?;
        if true {
            struct_ser.serialize_field("action", &self.action)?;
        }
        if true {
            struct_ser.serialize_field("engine_id", &self.engine_id)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for EngineControlRequest {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "action",
            "engine_id",
            "engineId",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Action,
            EngineId,
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
                            "action" => Ok(GeneratedField::Action),
                            "engineId" | "engine_id" => Ok(GeneratedField::EngineId),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = EngineControlRequest;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.EngineControlRequest")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<EngineControlRequest, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut action__ = None;
                let mut engine_id__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Action => {
                            if action__.is_some() {
                                return Err(serde::de::Error::duplicate_field("action"));
                            }
                            action__ = Some(map_.next_value()?);
                        }
                        GeneratedField::EngineId => {
                            if engine_id__.is_some() {
                                return Err(serde::de::Error::duplicate_field("engineId"));
                            }
                            engine_id__ = Some(map_.next_value()?);
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(EngineControlRequest {
                    action: action__.unwrap_or_default(),
                    engine_id: engine_id__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.EngineControlRequest", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for EngineStatus {
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
        let mut struct_ser = serializer.serialize_struct("bywash.v1.EngineStatus", len)?;
        if true {
            struct_ser.serialize_field("running", &self.running)?;
        }
        if true {
            struct_ser.serialize_field("runs", &self.runs)?;
        }
        if let Some(v) = self.pid.as_ref() {
            struct_ser.serialize_field("pid", v)?;
        }
        if let Some(v) = self.runtime.as_ref() {
            struct_ser.serialize_field("runtime", v)?;
        }
        if let Some(v) = self.last_result.as_ref() {
            struct_ser.serialize_field("last_result", v)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for EngineStatus {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "running",
            "runs",
            "pid",
            "runtime",
            "last_result",
            "lastResult",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Running,
            Runs,
            Pid,
            Runtime,
            LastResult,
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
                            "running" => Ok(GeneratedField::Running),
                            "runs" => Ok(GeneratedField::Runs),
                            "pid" => Ok(GeneratedField::Pid),
                            "runtime" => Ok(GeneratedField::Runtime),
                            "lastResult" | "last_result" => Ok(GeneratedField::LastResult),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = EngineStatus;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.EngineStatus")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<EngineStatus, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut running__ = None;
                let mut runs__ = None;
                let mut pid__ = None;
                let mut runtime__ = None;
                let mut last_result__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Running => {
                            if running__.is_some() {
                                return Err(serde::de::Error::duplicate_field("running"));
                            }
                            running__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Runs => {
                            if runs__.is_some() {
                                return Err(serde::de::Error::duplicate_field("runs"));
                            }
                            runs__ = 
                                Some(map_.next_value::<::pbjson::private::NumberDeserialize<_>>()?.0)
                            ;
                        }
                        GeneratedField::Pid => {
                            if pid__.is_some() {
                                return Err(serde::de::Error::duplicate_field("pid"));
                            }
                            pid__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::Runtime => {
                            if runtime__.is_some() {
                                return Err(serde::de::Error::duplicate_field("runtime"));
                            }
                            runtime__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::LastResult => {
                            if last_result__.is_some() {
                                return Err(serde::de::Error::duplicate_field("lastResult"));
                            }
                            last_result__ = map_.next_value()?;
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(EngineStatus {
                    running: running__.unwrap_or_default(),
                    runs: runs__.unwrap_or_default(),
                    pid: pid__,
                    runtime: runtime__,
                    last_result: last_result__,
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.EngineStatus", FIELDS, GeneratedVisitor)
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
impl serde::Serialize for FactDeleted {
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
        let mut struct_ser = serializer.serialize_struct("bywash.v1.FactDeleted", len)?;
        if true {
            struct_ser.serialize_field("id", &self.id)?;
        }
        if true {
            struct_ser.serialize_field("statement", &self.statement)?;
        }
        if true {
            struct_ser.serialize_field("deleted_at", &self.deleted_at)?;
        }
        if true {
            struct_ser.serialize_field("revision", &self.revision)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for FactDeleted {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "id",
            "statement",
            "deleted_at",
            "deletedAt",
            "revision",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Id,
            Statement,
            DeletedAt,
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
                            "deletedAt" | "deleted_at" => Ok(GeneratedField::DeletedAt),
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
            type Value = FactDeleted;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.FactDeleted")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<FactDeleted, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut id__ = None;
                let mut statement__ = None;
                let mut deleted_at__ = None;
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
                        GeneratedField::DeletedAt => {
                            if deleted_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("deletedAt"));
                            }
                            deleted_at__ = Some(map_.next_value()?);
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
                Ok(FactDeleted {
                    id: id__.unwrap_or_default(),
                    statement: statement__.unwrap_or_default(),
                    deleted_at: deleted_at__.unwrap_or_default(),
                    revision: revision__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.FactDeleted", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for FactUpdated {
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
        let mut struct_ser = serializer.serialize_struct("bywash.v1.FactUpdated", len)?;
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
            struct_ser.serialize_field("previous_statement", &self.previous_statement)?;
        }
        if true {
            struct_ser.serialize_field("created_at", &self.created_at)?;
        }
        if true {
            struct_ser.serialize_field("updated_at", &self.updated_at)?;
        }
        if true {
            struct_ser.serialize_field("revision", &self.revision)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for FactUpdated {
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
            "previous_statement",
            "previousStatement",
            "created_at",
            "createdAt",
            "updated_at",
            "updatedAt",
            "revision",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Id,
            Statement,
            Context,
            Confidence,
            PreviousStatement,
            CreatedAt,
            UpdatedAt,
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
                            "previousStatement" | "previous_statement" => Ok(GeneratedField::PreviousStatement),
                            "createdAt" | "created_at" => Ok(GeneratedField::CreatedAt),
                            "updatedAt" | "updated_at" => Ok(GeneratedField::UpdatedAt),
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
            type Value = FactUpdated;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.FactUpdated")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<FactUpdated, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut id__ = None;
                let mut statement__ = None;
                let mut context__ = None;
                let mut confidence__ = None;
                let mut previous_statement__ = None;
                let mut created_at__ = None;
                let mut updated_at__ = None;
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
                        GeneratedField::PreviousStatement => {
                            if previous_statement__.is_some() {
                                return Err(serde::de::Error::duplicate_field("previousStatement"));
                            }
                            previous_statement__ = Some(map_.next_value()?);
                        }
                        GeneratedField::CreatedAt => {
                            if created_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("createdAt"));
                            }
                            created_at__ = Some(map_.next_value()?);
                        }
                        GeneratedField::UpdatedAt => {
                            if updated_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("updatedAt"));
                            }
                            updated_at__ = Some(map_.next_value()?);
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
                Ok(FactUpdated {
                    id: id__.unwrap_or_default(),
                    statement: statement__.unwrap_or_default(),
                    context: context__.unwrap_or_default(),
                    confidence: confidence__.unwrap_or_default(),
                    previous_statement: previous_statement__.unwrap_or_default(),
                    created_at: created_at__.unwrap_or_default(),
                    updated_at: updated_at__.unwrap_or_default(),
                    revision: revision__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.FactUpdated", FIELDS, GeneratedVisitor)
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
impl serde::Serialize for GovernorControlRequest {
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
        let mut struct_ser = serializer.serialize_struct("bywash.v1.GovernorControlRequest", len)?;
        if true {
            struct_ser.serialize_field("action", &self.action)?;
        }
        if let Some(v) = self.mode.as_ref() {
            struct_ser.serialize_field("mode", v)?;
        }
        if let Some(v) = self.engine.as_ref() {
            struct_ser.serialize_field("engine", v)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for GovernorControlRequest {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "action",
            "mode",
            "engine",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Action,
            Mode,
            Engine,
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
                            "action" => Ok(GeneratedField::Action),
                            "mode" => Ok(GeneratedField::Mode),
                            "engine" => Ok(GeneratedField::Engine),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = GovernorControlRequest;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.GovernorControlRequest")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<GovernorControlRequest, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut action__ = None;
                let mut mode__ = None;
                let mut engine__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Action => {
                            if action__.is_some() {
                                return Err(serde::de::Error::duplicate_field("action"));
                            }
                            action__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Mode => {
                            if mode__.is_some() {
                                return Err(serde::de::Error::duplicate_field("mode"));
                            }
                            mode__ = map_.next_value()?;
                        }
                        GeneratedField::Engine => {
                            if engine__.is_some() {
                                return Err(serde::de::Error::duplicate_field("engine"));
                            }
                            engine__ = map_.next_value()?;
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(GovernorControlRequest {
                    action: action__.unwrap_or_default(),
                    mode: mode__,
                    engine: engine__,
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.GovernorControlRequest", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for GovernorControlResult {
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
        let mut struct_ser = serializer.serialize_struct("bywash.v1.GovernorControlResult", len)?;
        if true {
            struct_ser.serialize_field("changed", &self.changed)?;
        }
        if true {
            struct_ser.serialize_field("decisions", &self.decisions)?;
        }
        if let Some(v) = self.status.as_ref() {
            struct_ser.serialize_field("status", v)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for GovernorControlResult {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "changed",
            "decisions",
            "status",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Changed,
            Decisions,
            Status,
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
                            "changed" => Ok(GeneratedField::Changed),
                            "decisions" => Ok(GeneratedField::Decisions),
                            "status" => Ok(GeneratedField::Status),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = GovernorControlResult;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.GovernorControlResult")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<GovernorControlResult, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut changed__ = None;
                let mut decisions__ = None;
                let mut status__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Changed => {
                            if changed__.is_some() {
                                return Err(serde::de::Error::duplicate_field("changed"));
                            }
                            changed__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Decisions => {
                            if decisions__.is_some() {
                                return Err(serde::de::Error::duplicate_field("decisions"));
                            }
                            decisions__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Status => {
                            if status__.is_some() {
                                return Err(serde::de::Error::duplicate_field("status"));
                            }
                            status__ = map_.next_value()?;
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(GovernorControlResult {
                    changed: changed__.unwrap_or_default(),
                    decisions: decisions__.unwrap_or_default(),
                    status: status__,
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.GovernorControlResult", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for GovernorInput {
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
        let mut struct_ser = serializer.serialize_struct("bywash.v1.GovernorInput", len)?;
        if let Some(v) = self.value.as_ref() {
            struct_ser.serialize_field("value", v)?;
        }
        if let Some(v) = self.text.as_ref() {
            struct_ser.serialize_field("text", v)?;
        }
        if let Some(v) = self.observed_at.as_ref() {
            struct_ser.serialize_field("observed_at", v)?;
        }
        if let Some(v) = self.age_ms.as_ref() {
            struct_ser.serialize_field("age_ms", v)?;
        }
        if true {
            struct_ser.serialize_field("stale", &self.stale)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for GovernorInput {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "value",
            "text",
            "observed_at",
            "observedAt",
            "age_ms",
            "ageMs",
            "stale",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Value,
            Text,
            ObservedAt,
            AgeMs,
            Stale,
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
                            "value" => Ok(GeneratedField::Value),
                            "text" => Ok(GeneratedField::Text),
                            "observedAt" | "observed_at" => Ok(GeneratedField::ObservedAt),
                            "ageMs" | "age_ms" => Ok(GeneratedField::AgeMs),
                            "stale" => Ok(GeneratedField::Stale),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = GovernorInput;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.GovernorInput")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<GovernorInput, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut value__ = None;
                let mut text__ = None;
                let mut observed_at__ = None;
                let mut age_ms__ = None;
                let mut stale__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Value => {
                            if value__.is_some() {
                                return Err(serde::de::Error::duplicate_field("value"));
                            }
                            value__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::Text => {
                            if text__.is_some() {
                                return Err(serde::de::Error::duplicate_field("text"));
                            }
                            text__ = map_.next_value()?;
                        }
                        GeneratedField::ObservedAt => {
                            if observed_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("observedAt"));
                            }
                            observed_at__ = map_.next_value()?;
                        }
                        GeneratedField::AgeMs => {
                            if age_ms__.is_some() {
                                return Err(serde::de::Error::duplicate_field("ageMs"));
                            }
                            age_ms__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::Stale => {
                            if stale__.is_some() {
                                return Err(serde::de::Error::duplicate_field("stale"));
                            }
                            stale__ = Some(map_.next_value()?);
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(GovernorInput {
                    value: value__,
                    text: text__,
                    observed_at: observed_at__,
                    age_ms: age_ms__,
                    stale: stale__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.GovernorInput", FIELDS, GeneratedVisitor)
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
impl serde::Serialize for GovernorStatus {
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
        let mut struct_ser = serializer.serialize_struct("bywash.v1.GovernorStatus", len)?;
        if true {
            struct_ser.serialize_field("instance", &self.instance)?;
        }
        if true {
            struct_ser.serialize_field("running", &self.running)?;
        }
        if true {
            struct_ser.serialize_field("paused", &self.paused)?;
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
            struct_ser.serialize_field("inputs", &self.inputs)?;
        }
        if true {
            struct_ser.serialize_field("unpublished_decisions", &self.unpublished_decisions)?;
        }
        if true {
            struct_ser.serialize_field("summary", &self.summary)?;
        }
        if true {
            struct_ser.serialize_field("timestamp", &self.timestamp)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for GovernorStatus {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "instance",
            "running",
            "paused",
            "mode",
            "decisions_made",
            "decisionsMade",
            "last_decision",
            "lastDecision",
            "engines",
            "inputs",
            "unpublished_decisions",
            "unpublishedDecisions",
            "summary",
            "timestamp",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Instance,
            Running,
            Paused,
            Mode,
            DecisionsMade,
            LastDecision,
            Engines,
            Inputs,
            UnpublishedDecisions,
            Summary,
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
                            "instance" => Ok(GeneratedField::Instance),
                            "running" => Ok(GeneratedField::Running),
                            "paused" => Ok(GeneratedField::Paused),
                            "mode" => Ok(GeneratedField::Mode),
                            "decisionsMade" | "decisions_made" => Ok(GeneratedField::DecisionsMade),
                            "lastDecision" | "last_decision" => Ok(GeneratedField::LastDecision),
                            "engines" => Ok(GeneratedField::Engines),
                            "inputs" => Ok(GeneratedField::Inputs),
                            "unpublishedDecisions" | "unpublished_decisions" => Ok(GeneratedField::UnpublishedDecisions),
                            "summary" => Ok(GeneratedField::Summary),
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
            type Value = GovernorStatus;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.GovernorStatus")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<GovernorStatus, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut instance__ = None;
                let mut running__ = None;
                let mut paused__ = None;
                let mut mode__ = None;
                let mut decisions_made__ = None;
                let mut last_decision__ = None;
                let mut engines__ = None;
                let mut inputs__ = None;
                let mut unpublished_decisions__ = None;
                let mut summary__ = None;
                let mut timestamp__ = None;
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
                        GeneratedField::Paused => {
                            if paused__.is_some() {
                                return Err(serde::de::Error::duplicate_field("paused"));
                            }
                            paused__ = Some(map_.next_value()?);
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
                            engines__ = Some(
                                map_.next_value::<std::collections::HashMap<_, _>>()?
                            );
                        }
                        GeneratedField::Inputs => {
                            if inputs__.is_some() {
                                return Err(serde::de::Error::duplicate_field("inputs"));
                            }
                            inputs__ = Some(
                                map_.next_value::<std::collections::HashMap<_, _>>()?
                            );
                        }
                        GeneratedField::UnpublishedDecisions => {
                            if unpublished_decisions__.is_some() {
                                return Err(serde::de::Error::duplicate_field("unpublishedDecisions"));
                            }
                            unpublished_decisions__ = 
                                Some(map_.next_value::<::pbjson::private::NumberDeserialize<_>>()?.0)
                            ;
                        }
                        GeneratedField::Summary => {
                            if summary__.is_some() {
                                return Err(serde::de::Error::duplicate_field("summary"));
                            }
                            summary__ = Some(map_.next_value()?);
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
                Ok(GovernorStatus {
                    instance: instance__.unwrap_or_default(),
                    running: running__.unwrap_or_default(),
                    paused: paused__.unwrap_or_default(),
                    mode: mode__.unwrap_or_default(),
                    decisions_made: decisions_made__.unwrap_or_default(),
                    last_decision: last_decision__,
                    engines: engines__.unwrap_or_default(),
                    inputs: inputs__.unwrap_or_default(),
                    unpublished_decisions: unpublished_decisions__.unwrap_or_default(),
                    summary: summary__.unwrap_or_default(),
                    timestamp: timestamp__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.GovernorStatus", FIELDS, GeneratedVisitor)
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
impl serde::Serialize for GpuMonitorStatus {
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
        let mut struct_ser = serializer.serialize_struct("bywash.v1.GpuMonitorStatus", len)?;
        if true {
            struct_ser.serialize_field("node", &self.node)?;
        }
        if let Some(v) = self.gpu.as_ref() {
            struct_ser.serialize_field("gpu", v)?;
        }
        if let Some(v) = self.gpu_age_ms.as_ref() {
            struct_ser.serialize_field("gpu_age_ms", v)?;
        }
        if let Some(v) = self.system.as_ref() {
            struct_ser.serialize_field("system", v)?;
        }
        if let Some(v) = self.system_age_ms.as_ref() {
            struct_ser.serialize_field("system_age_ms", v)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for GpuMonitorStatus {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "node",
            "gpu",
            "gpu_age_ms",
            "gpuAgeMs",
            "system",
            "system_age_ms",
            "systemAgeMs",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Node,
            Gpu,
            GpuAgeMs,
            System,
            SystemAgeMs,
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
                            "gpu" => Ok(GeneratedField::Gpu),
                            "gpuAgeMs" | "gpu_age_ms" => Ok(GeneratedField::GpuAgeMs),
                            "system" => Ok(GeneratedField::System),
                            "systemAgeMs" | "system_age_ms" => Ok(GeneratedField::SystemAgeMs),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = GpuMonitorStatus;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.GpuMonitorStatus")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<GpuMonitorStatus, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut node__ = None;
                let mut gpu__ = None;
                let mut gpu_age_ms__ = None;
                let mut system__ = None;
                let mut system_age_ms__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Node => {
                            if node__.is_some() {
                                return Err(serde::de::Error::duplicate_field("node"));
                            }
                            node__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Gpu => {
                            if gpu__.is_some() {
                                return Err(serde::de::Error::duplicate_field("gpu"));
                            }
                            gpu__ = map_.next_value()?;
                        }
                        GeneratedField::GpuAgeMs => {
                            if gpu_age_ms__.is_some() {
                                return Err(serde::de::Error::duplicate_field("gpuAgeMs"));
                            }
                            gpu_age_ms__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::System => {
                            if system__.is_some() {
                                return Err(serde::de::Error::duplicate_field("system"));
                            }
                            system__ = map_.next_value()?;
                        }
                        GeneratedField::SystemAgeMs => {
                            if system_age_ms__.is_some() {
                                return Err(serde::de::Error::duplicate_field("systemAgeMs"));
                            }
                            system_age_ms__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(GpuMonitorStatus {
                    node: node__.unwrap_or_default(),
                    gpu: gpu__,
                    gpu_age_ms: gpu_age_ms__,
                    system: system__,
                    system_age_ms: system_age_ms__,
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.GpuMonitorStatus", FIELDS, GeneratedVisitor)
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
impl serde::Serialize for GraphEdge {
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
        let mut struct_ser = serializer.serialize_struct("bywash.v1.GraphEdge", len)?;
        if true {
            struct_ser.serialize_field("from", &self.from)?;
        }
        if true {
            struct_ser.serialize_field("to", &self.to)?;
        }
        if true {
            struct_ser.serialize_field("type", &self.r#type)?;
        }
        if true {
            struct_ser.serialize_field("fact_id", &self.fact_id)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for GraphEdge {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "from",
            "to",
            "type",
            "fact_id",
            "factId",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            From,
            To,
            Type,
            FactId,
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
                            "from" => Ok(GeneratedField::From),
                            "to" => Ok(GeneratedField::To),
                            "type" => Ok(GeneratedField::Type),
                            "factId" | "fact_id" => Ok(GeneratedField::FactId),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = GraphEdge;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.GraphEdge")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<GraphEdge, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut from__ = None;
                let mut to__ = None;
                let mut r#type__ = None;
                let mut fact_id__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::From => {
                            if from__.is_some() {
                                return Err(serde::de::Error::duplicate_field("from"));
                            }
                            from__ = Some(map_.next_value()?);
                        }
                        GeneratedField::To => {
                            if to__.is_some() {
                                return Err(serde::de::Error::duplicate_field("to"));
                            }
                            to__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Type => {
                            if r#type__.is_some() {
                                return Err(serde::de::Error::duplicate_field("type"));
                            }
                            r#type__ = Some(map_.next_value()?);
                        }
                        GeneratedField::FactId => {
                            if fact_id__.is_some() {
                                return Err(serde::de::Error::duplicate_field("factId"));
                            }
                            fact_id__ = 
                                Some(map_.next_value::<::pbjson::private::NumberDeserialize<_>>()?.0)
                            ;
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(GraphEdge {
                    from: from__.unwrap_or_default(),
                    to: to__.unwrap_or_default(),
                    r#type: r#type__.unwrap_or_default(),
                    fact_id: fact_id__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.GraphEdge", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for GraphNode {
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
        let mut struct_ser = serializer.serialize_struct("bywash.v1.GraphNode", len)?;
        if true {
            struct_ser.serialize_field("key", &self.key)?;
        }
        if true {
            struct_ser.serialize_field("label", &self.label)?;
        }
        if true {
            struct_ser.serialize_field("depth", &self.depth)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for GraphNode {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "key",
            "label",
            "depth",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Key,
            Label,
            Depth,
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
                            "key" => Ok(GeneratedField::Key),
                            "label" => Ok(GeneratedField::Label),
                            "depth" => Ok(GeneratedField::Depth),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = GraphNode;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.GraphNode")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<GraphNode, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut key__ = None;
                let mut label__ = None;
                let mut depth__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Key => {
                            if key__.is_some() {
                                return Err(serde::de::Error::duplicate_field("key"));
                            }
                            key__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Label => {
                            if label__.is_some() {
                                return Err(serde::de::Error::duplicate_field("label"));
                            }
                            label__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Depth => {
                            if depth__.is_some() {
                                return Err(serde::de::Error::duplicate_field("depth"));
                            }
                            depth__ = 
                                Some(map_.next_value::<::pbjson::private::NumberDeserialize<_>>()?.0)
                            ;
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(GraphNode {
                    key: key__.unwrap_or_default(),
                    label: label__.unwrap_or_default(),
                    depth: depth__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.GraphNode", FIELDS, GeneratedVisitor)
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
impl serde::Serialize for KnowledgeBaseStatus {
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
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        if true {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("bywash.v1.KnowledgeBaseStatus", len)?;
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
            struct_ser.serialize_field("adapter", &self.adapter)?;
        }
        if true {
            struct_ser.serialize_field("relay_connected", &self.relay_connected)?;
        }
        if true {
            struct_ser.serialize_field("relay_lag_changes", &self.relay_lag_changes)?;
        }
        if let Some(v) = self.relay_lag_seconds.as_ref() {
            struct_ser.serialize_field("relay_lag_seconds", v)?;
        }
        if let Some(v) = self.growth_rate.as_ref() {
            struct_ser.serialize_field("growth_rate", v)?;
        }
        if let Some(v) = self.connectivity.as_ref() {
            struct_ser.serialize_field("connectivity", v)?;
        }
        if let Some(v) = self.entropy.as_ref() {
            struct_ser.serialize_field("entropy", v)?;
        }
        if let Some(v) = self.unique_predicates.as_ref() {
            struct_ser.serialize_field("unique_predicates", v)?;
        }
        if let Some(v) = self.unique_entities.as_ref() {
            struct_ser.serialize_field("unique_entities", v)?;
        }
        if true {
            struct_ser.serialize_field("time", &self.time)?;
        }
        if let Some(v) = self.adapters.as_ref() {
            struct_ser.serialize_field("adapters", v)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for KnowledgeBaseStatus {
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
            "adapter",
            "relay_connected",
            "relayConnected",
            "relay_lag_changes",
            "relayLagChanges",
            "relay_lag_seconds",
            "relayLagSeconds",
            "growth_rate",
            "growthRate",
            "connectivity",
            "entropy",
            "unique_predicates",
            "uniquePredicates",
            "unique_entities",
            "uniqueEntities",
            "time",
            "adapters",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Instance,
            Epoch,
            Revision,
            FactCount,
            Adapter,
            RelayConnected,
            RelayLagChanges,
            RelayLagSeconds,
            GrowthRate,
            Connectivity,
            Entropy,
            UniquePredicates,
            UniqueEntities,
            Time,
            Adapters,
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
                            "adapter" => Ok(GeneratedField::Adapter),
                            "relayConnected" | "relay_connected" => Ok(GeneratedField::RelayConnected),
                            "relayLagChanges" | "relay_lag_changes" => Ok(GeneratedField::RelayLagChanges),
                            "relayLagSeconds" | "relay_lag_seconds" => Ok(GeneratedField::RelayLagSeconds),
                            "growthRate" | "growth_rate" => Ok(GeneratedField::GrowthRate),
                            "connectivity" => Ok(GeneratedField::Connectivity),
                            "entropy" => Ok(GeneratedField::Entropy),
                            "uniquePredicates" | "unique_predicates" => Ok(GeneratedField::UniquePredicates),
                            "uniqueEntities" | "unique_entities" => Ok(GeneratedField::UniqueEntities),
                            "time" => Ok(GeneratedField::Time),
                            "adapters" => Ok(GeneratedField::Adapters),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = KnowledgeBaseStatus;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.KnowledgeBaseStatus")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<KnowledgeBaseStatus, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut instance__ = None;
                let mut epoch__ = None;
                let mut revision__ = None;
                let mut fact_count__ = None;
                let mut adapter__ = None;
                let mut relay_connected__ = None;
                let mut relay_lag_changes__ = None;
                let mut relay_lag_seconds__ = None;
                let mut growth_rate__ = None;
                let mut connectivity__ = None;
                let mut entropy__ = None;
                let mut unique_predicates__ = None;
                let mut unique_entities__ = None;
                let mut time__ = None;
                let mut adapters__ = None;
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
                        GeneratedField::Adapter => {
                            if adapter__.is_some() {
                                return Err(serde::de::Error::duplicate_field("adapter"));
                            }
                            adapter__ = Some(map_.next_value()?);
                        }
                        GeneratedField::RelayConnected => {
                            if relay_connected__.is_some() {
                                return Err(serde::de::Error::duplicate_field("relayConnected"));
                            }
                            relay_connected__ = Some(map_.next_value()?);
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
                        GeneratedField::GrowthRate => {
                            if growth_rate__.is_some() {
                                return Err(serde::de::Error::duplicate_field("growthRate"));
                            }
                            growth_rate__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::Connectivity => {
                            if connectivity__.is_some() {
                                return Err(serde::de::Error::duplicate_field("connectivity"));
                            }
                            connectivity__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::Entropy => {
                            if entropy__.is_some() {
                                return Err(serde::de::Error::duplicate_field("entropy"));
                            }
                            entropy__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::UniquePredicates => {
                            if unique_predicates__.is_some() {
                                return Err(serde::de::Error::duplicate_field("uniquePredicates"));
                            }
                            unique_predicates__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::UniqueEntities => {
                            if unique_entities__.is_some() {
                                return Err(serde::de::Error::duplicate_field("uniqueEntities"));
                            }
                            unique_entities__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::Time => {
                            if time__.is_some() {
                                return Err(serde::de::Error::duplicate_field("time"));
                            }
                            time__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Adapters => {
                            if adapters__.is_some() {
                                return Err(serde::de::Error::duplicate_field("adapters"));
                            }
                            adapters__ = map_.next_value()?;
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(KnowledgeBaseStatus {
                    instance: instance__.unwrap_or_default(),
                    epoch: epoch__.unwrap_or_default(),
                    revision: revision__.unwrap_or_default(),
                    fact_count: fact_count__.unwrap_or_default(),
                    adapter: adapter__.unwrap_or_default(),
                    relay_connected: relay_connected__.unwrap_or_default(),
                    relay_lag_changes: relay_lag_changes__.unwrap_or_default(),
                    relay_lag_seconds: relay_lag_seconds__,
                    growth_rate: growth_rate__,
                    connectivity: connectivity__,
                    entropy: entropy__,
                    unique_predicates: unique_predicates__,
                    unique_entities: unique_entities__,
                    time: time__.unwrap_or_default(),
                    adapters: adapters__,
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.KnowledgeBaseStatus", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for LogRecord {
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
        let mut struct_ser = serializer.serialize_struct("bywash.v1.LogRecord", len)?;
        if true {
            struct_ser.serialize_field("level", &self.level)?;
        }
        if true {
            struct_ser.serialize_field("message", &self.message)?;
        }
        if true {
            struct_ser.serialize_field("timestamp", &self.timestamp)?;
        }
        if true {
            struct_ser.serialize_field("logger", &self.logger)?;
        }
        if let Some(v) = self.filename.as_ref() {
            struct_ser.serialize_field("filename", v)?;
        }
        if let Some(v) = self.lineno.as_ref() {
            struct_ser.serialize_field("lineno", v)?;
        }
        if true {
            struct_ser.serialize_field("service", &self.service)?;
        }
        if true {
            struct_ser.serialize_field("instance", &self.instance)?;
        }
        if true {
            struct_ser.serialize_field("fields", &self.fields)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for LogRecord {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "level",
            "message",
            "timestamp",
            "logger",
            "filename",
            "lineno",
            "service",
            "instance",
            "fields",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Level,
            Message,
            Timestamp,
            Logger,
            Filename,
            Lineno,
            Service,
            Instance,
            Fields,
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
                            "level" => Ok(GeneratedField::Level),
                            "message" => Ok(GeneratedField::Message),
                            "timestamp" => Ok(GeneratedField::Timestamp),
                            "logger" => Ok(GeneratedField::Logger),
                            "filename" => Ok(GeneratedField::Filename),
                            "lineno" => Ok(GeneratedField::Lineno),
                            "service" => Ok(GeneratedField::Service),
                            "instance" => Ok(GeneratedField::Instance),
                            "fields" => Ok(GeneratedField::Fields),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = LogRecord;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.LogRecord")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<LogRecord, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut level__ = None;
                let mut message__ = None;
                let mut timestamp__ = None;
                let mut logger__ = None;
                let mut filename__ = None;
                let mut lineno__ = None;
                let mut service__ = None;
                let mut instance__ = None;
                let mut fields__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Level => {
                            if level__.is_some() {
                                return Err(serde::de::Error::duplicate_field("level"));
                            }
                            level__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Message => {
                            if message__.is_some() {
                                return Err(serde::de::Error::duplicate_field("message"));
                            }
                            message__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Timestamp => {
                            if timestamp__.is_some() {
                                return Err(serde::de::Error::duplicate_field("timestamp"));
                            }
                            timestamp__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Logger => {
                            if logger__.is_some() {
                                return Err(serde::de::Error::duplicate_field("logger"));
                            }
                            logger__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Filename => {
                            if filename__.is_some() {
                                return Err(serde::de::Error::duplicate_field("filename"));
                            }
                            filename__ = map_.next_value()?;
                        }
                        GeneratedField::Lineno => {
                            if lineno__.is_some() {
                                return Err(serde::de::Error::duplicate_field("lineno"));
                            }
                            lineno__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::Service => {
                            if service__.is_some() {
                                return Err(serde::de::Error::duplicate_field("service"));
                            }
                            service__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Instance => {
                            if instance__.is_some() {
                                return Err(serde::de::Error::duplicate_field("instance"));
                            }
                            instance__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Fields => {
                            if fields__.is_some() {
                                return Err(serde::de::Error::duplicate_field("fields"));
                            }
                            fields__ = Some(
                                map_.next_value::<std::collections::HashMap<_, _>>()?
                            );
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(LogRecord {
                    level: level__.unwrap_or_default(),
                    message: message__.unwrap_or_default(),
                    timestamp: timestamp__.unwrap_or_default(),
                    logger: logger__.unwrap_or_default(),
                    filename: filename__,
                    lineno: lineno__,
                    service: service__.unwrap_or_default(),
                    instance: instance__.unwrap_or_default(),
                    fields: fields__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.LogRecord", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for NextPageRequest {
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
        let mut struct_ser = serializer.serialize_struct("bywash.v1.NextPageRequest", len)?;
        if true {
            struct_ser.serialize_field("cursor", &self.cursor)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for NextPageRequest {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "cursor",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Cursor,
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
                            "cursor" => Ok(GeneratedField::Cursor),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = NextPageRequest;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.NextPageRequest")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<NextPageRequest, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut cursor__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Cursor => {
                            if cursor__.is_some() {
                                return Err(serde::de::Error::duplicate_field("cursor"));
                            }
                            cursor__ = Some(map_.next_value()?);
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(NextPageRequest {
                    cursor: cursor__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.NextPageRequest", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for SearchAdapter {
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
        let mut struct_ser = serializer.serialize_struct("bywash.v1.SearchAdapter", len)?;
        if true {
            struct_ser.serialize_field("available", &self.available)?;
        }
        if true {
            struct_ser.serialize_field("circuit", &self.circuit)?;
        }
        if true {
            struct_ser.serialize_field("query_count", &self.query_count)?;
        }
        if let Some(v) = self.avg_latency_ms.as_ref() {
            struct_ser.serialize_field("avg_latency_ms", v)?;
        }
        if let Some(v) = self.success_rate.as_ref() {
            struct_ser.serialize_field("success_rate", v)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for SearchAdapter {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "available",
            "circuit",
            "query_count",
            "queryCount",
            "avg_latency_ms",
            "avgLatencyMs",
            "success_rate",
            "successRate",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Available,
            Circuit,
            QueryCount,
            AvgLatencyMs,
            SuccessRate,
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
                            "available" => Ok(GeneratedField::Available),
                            "circuit" => Ok(GeneratedField::Circuit),
                            "queryCount" | "query_count" => Ok(GeneratedField::QueryCount),
                            "avgLatencyMs" | "avg_latency_ms" => Ok(GeneratedField::AvgLatencyMs),
                            "successRate" | "success_rate" => Ok(GeneratedField::SuccessRate),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = SearchAdapter;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.SearchAdapter")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<SearchAdapter, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut available__ = None;
                let mut circuit__ = None;
                let mut query_count__ = None;
                let mut avg_latency_ms__ = None;
                let mut success_rate__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Available => {
                            if available__.is_some() {
                                return Err(serde::de::Error::duplicate_field("available"));
                            }
                            available__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Circuit => {
                            if circuit__.is_some() {
                                return Err(serde::de::Error::duplicate_field("circuit"));
                            }
                            circuit__ = Some(map_.next_value()?);
                        }
                        GeneratedField::QueryCount => {
                            if query_count__.is_some() {
                                return Err(serde::de::Error::duplicate_field("queryCount"));
                            }
                            query_count__ = 
                                Some(map_.next_value::<::pbjson::private::NumberDeserialize<_>>()?.0)
                            ;
                        }
                        GeneratedField::AvgLatencyMs => {
                            if avg_latency_ms__.is_some() {
                                return Err(serde::de::Error::duplicate_field("avgLatencyMs"));
                            }
                            avg_latency_ms__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::SuccessRate => {
                            if success_rate__.is_some() {
                                return Err(serde::de::Error::duplicate_field("successRate"));
                            }
                            success_rate__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(SearchAdapter {
                    available: available__.unwrap_or_default(),
                    circuit: circuit__.unwrap_or_default(),
                    query_count: query_count__.unwrap_or_default(),
                    avg_latency_ms: avg_latency_ms__,
                    success_rate: success_rate__,
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.SearchAdapter", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for SearchAdapters {
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
        let mut struct_ser = serializer.serialize_struct("bywash.v1.SearchAdapters", len)?;
        if let Some(v) = self.primary.as_ref() {
            struct_ser.serialize_field("primary", v)?;
        }
        if let Some(v) = self.fallback.as_ref() {
            struct_ser.serialize_field("fallback", v)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for SearchAdapters {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "primary",
            "fallback",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Primary,
            Fallback,
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
                            "primary" => Ok(GeneratedField::Primary),
                            "fallback" => Ok(GeneratedField::Fallback),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = SearchAdapters;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.SearchAdapters")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<SearchAdapters, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut primary__ = None;
                let mut fallback__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Primary => {
                            if primary__.is_some() {
                                return Err(serde::de::Error::duplicate_field("primary"));
                            }
                            primary__ = map_.next_value()?;
                        }
                        GeneratedField::Fallback => {
                            if fallback__.is_some() {
                                return Err(serde::de::Error::duplicate_field("fallback"));
                            }
                            fallback__ = map_.next_value()?;
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(SearchAdapters {
                    primary: primary__,
                    fallback: fallback__,
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.SearchAdapters", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for SearchItem {
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
        let mut struct_ser = serializer.serialize_struct("bywash.v1.SearchItem", len)?;
        if true {
            struct_ser.serialize_field("id", &self.id)?;
        }
        if true {
            struct_ser.serialize_field("content", &self.content)?;
        }
        if let Some(v) = self.statement.as_ref() {
            struct_ser.serialize_field("statement", v)?;
        }
        if true {
            struct_ser.serialize_field("confidence", &self.confidence)?;
        }
        if true {
            struct_ser.serialize_field("score", &self.score)?;
        }
        if true {
            struct_ser.serialize_field("context", &self.context)?;
        }
        if let Some(v) = self.document.as_ref() {
            struct_ser.serialize_field("document", v)?;
        }
        if let Some(v) = self.metadata.as_ref() {
            struct_ser.serialize_field("metadata", v)?;
        }
        if true {
            struct_ser.serialize_field("snippet", &self.snippet)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for SearchItem {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "id",
            "content",
            "statement",
            "confidence",
            "score",
            "context",
            "document",
            "metadata",
            "snippet",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Id,
            Content,
            Statement,
            Confidence,
            Score,
            Context,
            Document,
            Metadata,
            Snippet,
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
                            "content" => Ok(GeneratedField::Content),
                            "statement" => Ok(GeneratedField::Statement),
                            "confidence" => Ok(GeneratedField::Confidence),
                            "score" => Ok(GeneratedField::Score),
                            "context" => Ok(GeneratedField::Context),
                            "document" => Ok(GeneratedField::Document),
                            "metadata" => Ok(GeneratedField::Metadata),
                            "snippet" => Ok(GeneratedField::Snippet),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = SearchItem;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.SearchItem")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<SearchItem, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut id__ = None;
                let mut content__ = None;
                let mut statement__ = None;
                let mut confidence__ = None;
                let mut score__ = None;
                let mut context__ = None;
                let mut document__ = None;
                let mut metadata__ = None;
                let mut snippet__ = None;
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
                        GeneratedField::Content => {
                            if content__.is_some() {
                                return Err(serde::de::Error::duplicate_field("content"));
                            }
                            content__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Statement => {
                            if statement__.is_some() {
                                return Err(serde::de::Error::duplicate_field("statement"));
                            }
                            statement__ = map_.next_value()?;
                        }
                        GeneratedField::Confidence => {
                            if confidence__.is_some() {
                                return Err(serde::de::Error::duplicate_field("confidence"));
                            }
                            confidence__ = 
                                Some(map_.next_value::<::pbjson::private::NumberDeserialize<_>>()?.0)
                            ;
                        }
                        GeneratedField::Score => {
                            if score__.is_some() {
                                return Err(serde::de::Error::duplicate_field("score"));
                            }
                            score__ = 
                                Some(map_.next_value::<::pbjson::private::NumberDeserialize<_>>()?.0)
                            ;
                        }
                        GeneratedField::Context => {
                            if context__.is_some() {
                                return Err(serde::de::Error::duplicate_field("context"));
                            }
                            context__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Document => {
                            if document__.is_some() {
                                return Err(serde::de::Error::duplicate_field("document"));
                            }
                            document__ = map_.next_value()?;
                        }
                        GeneratedField::Metadata => {
                            if metadata__.is_some() {
                                return Err(serde::de::Error::duplicate_field("metadata"));
                            }
                            metadata__ = map_.next_value()?;
                        }
                        GeneratedField::Snippet => {
                            if snippet__.is_some() {
                                return Err(serde::de::Error::duplicate_field("snippet"));
                            }
                            snippet__ = Some(map_.next_value()?);
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(SearchItem {
                    id: id__.unwrap_or_default(),
                    content: content__.unwrap_or_default(),
                    statement: statement__,
                    confidence: confidence__.unwrap_or_default(),
                    score: score__.unwrap_or_default(),
                    context: context__.unwrap_or_default(),
                    document: document__,
                    metadata: metadata__,
                    snippet: snippet__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.SearchItem", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for SearchPage {
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
        let mut struct_ser = serializer.serialize_struct("bywash.v1.SearchPage", len)?;
        if true {
            struct_ser.serialize_field("items", &self.items)?;
        }
        if true {
            struct_ser.serialize_field("total", &self.total)?;
        }
        if true {
            struct_ser.serialize_field("adapter", &self.adapter)?;
        }
        if true {
            struct_ser.serialize_field("instance", &self.instance)?;
        }
        if let Some(v) = self.next.as_ref() {
            struct_ser.serialize_field("next", v)?;
        }
        if true {
            struct_ser.serialize_field("duration_ms", &self.duration_ms)?;
        }
        if true {
            struct_ser.serialize_field("revision", &self.revision)?;
        }
        if true {
            struct_ser.serialize_field("epoch", &self.epoch)?;
        }
        if true {
            struct_ser.serialize_field("mode", &self.mode)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for SearchPage {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "items",
            "total",
            "adapter",
            "instance",
            "next",
            "duration_ms",
            "durationMs",
            "revision",
            "epoch",
            "mode",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Items,
            Total,
            Adapter,
            Instance,
            Next,
            DurationMs,
            Revision,
            Epoch,
            Mode,
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
                            "items" => Ok(GeneratedField::Items),
                            "total" => Ok(GeneratedField::Total),
                            "adapter" => Ok(GeneratedField::Adapter),
                            "instance" => Ok(GeneratedField::Instance),
                            "next" => Ok(GeneratedField::Next),
                            "durationMs" | "duration_ms" => Ok(GeneratedField::DurationMs),
                            "revision" => Ok(GeneratedField::Revision),
                            "epoch" => Ok(GeneratedField::Epoch),
                            "mode" => Ok(GeneratedField::Mode),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = SearchPage;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.SearchPage")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<SearchPage, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut items__ = None;
                let mut total__ = None;
                let mut adapter__ = None;
                let mut instance__ = None;
                let mut next__ = None;
                let mut duration_ms__ = None;
                let mut revision__ = None;
                let mut epoch__ = None;
                let mut mode__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Items => {
                            if items__.is_some() {
                                return Err(serde::de::Error::duplicate_field("items"));
                            }
                            items__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Total => {
                            if total__.is_some() {
                                return Err(serde::de::Error::duplicate_field("total"));
                            }
                            total__ = 
                                Some(map_.next_value::<::pbjson::private::NumberDeserialize<_>>()?.0)
                            ;
                        }
                        GeneratedField::Adapter => {
                            if adapter__.is_some() {
                                return Err(serde::de::Error::duplicate_field("adapter"));
                            }
                            adapter__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Instance => {
                            if instance__.is_some() {
                                return Err(serde::de::Error::duplicate_field("instance"));
                            }
                            instance__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Next => {
                            if next__.is_some() {
                                return Err(serde::de::Error::duplicate_field("next"));
                            }
                            next__ = map_.next_value()?;
                        }
                        GeneratedField::DurationMs => {
                            if duration_ms__.is_some() {
                                return Err(serde::de::Error::duplicate_field("durationMs"));
                            }
                            duration_ms__ = 
                                Some(map_.next_value::<::pbjson::private::NumberDeserialize<_>>()?.0)
                            ;
                        }
                        GeneratedField::Revision => {
                            if revision__.is_some() {
                                return Err(serde::de::Error::duplicate_field("revision"));
                            }
                            revision__ = 
                                Some(map_.next_value::<::pbjson::private::NumberDeserialize<_>>()?.0)
                            ;
                        }
                        GeneratedField::Epoch => {
                            if epoch__.is_some() {
                                return Err(serde::de::Error::duplicate_field("epoch"));
                            }
                            epoch__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Mode => {
                            if mode__.is_some() {
                                return Err(serde::de::Error::duplicate_field("mode"));
                            }
                            mode__ = Some(map_.next_value()?);
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(SearchPage {
                    items: items__.unwrap_or_default(),
                    total: total__.unwrap_or_default(),
                    adapter: adapter__.unwrap_or_default(),
                    instance: instance__.unwrap_or_default(),
                    next: next__,
                    duration_ms: duration_ms__.unwrap_or_default(),
                    revision: revision__.unwrap_or_default(),
                    epoch: epoch__.unwrap_or_default(),
                    mode: mode__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.SearchPage", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for SearchRequest {
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
        let mut struct_ser = serializer.serialize_struct("bywash.v1.SearchRequest", len)?;
        if true {
            struct_ser.serialize_field("query", &self.query)?;
        }
        if let Some(v) = self.limit.as_ref() {
            struct_ser.serialize_field("limit", v)?;
        }
        if let Some(v) = self.collection.as_ref() {
            struct_ser.serialize_field("collection", v)?;
        }
        if let Some(v) = self.threshold.as_ref() {
            struct_ser.serialize_field("threshold", v)?;
        }
        if let Some(v) = self.mode.as_ref() {
            struct_ser.serialize_field("mode", v)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for SearchRequest {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "query",
            "limit",
            "collection",
            "threshold",
            "mode",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Query,
            Limit,
            Collection,
            Threshold,
            Mode,
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
                            "query" => Ok(GeneratedField::Query),
                            "limit" => Ok(GeneratedField::Limit),
                            "collection" => Ok(GeneratedField::Collection),
                            "threshold" => Ok(GeneratedField::Threshold),
                            "mode" => Ok(GeneratedField::Mode),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = SearchRequest;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.SearchRequest")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<SearchRequest, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut query__ = None;
                let mut limit__ = None;
                let mut collection__ = None;
                let mut threshold__ = None;
                let mut mode__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Query => {
                            if query__.is_some() {
                                return Err(serde::de::Error::duplicate_field("query"));
                            }
                            query__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Limit => {
                            if limit__.is_some() {
                                return Err(serde::de::Error::duplicate_field("limit"));
                            }
                            limit__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::Collection => {
                            if collection__.is_some() {
                                return Err(serde::de::Error::duplicate_field("collection"));
                            }
                            collection__ = map_.next_value()?;
                        }
                        GeneratedField::Threshold => {
                            if threshold__.is_some() {
                                return Err(serde::de::Error::duplicate_field("threshold"));
                            }
                            threshold__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::Mode => {
                            if mode__.is_some() {
                                return Err(serde::de::Error::duplicate_field("mode"));
                            }
                            mode__ = map_.next_value()?;
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(SearchRequest {
                    query: query__.unwrap_or_default(),
                    limit: limit__,
                    collection: collection__,
                    threshold: threshold__,
                    mode: mode__,
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.SearchRequest", FIELDS, GeneratedVisitor)
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
impl serde::Serialize for TraverseItem {
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
        let mut struct_ser = serializer.serialize_struct("bywash.v1.TraverseItem", len)?;
        if let Some(v) = self.node.as_ref() {
            struct_ser.serialize_field("node", v)?;
        }
        if let Some(v) = self.edge.as_ref() {
            struct_ser.serialize_field("edge", v)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for TraverseItem {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "node",
            "edge",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Node,
            Edge,
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
                            "edge" => Ok(GeneratedField::Edge),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = TraverseItem;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.TraverseItem")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<TraverseItem, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut node__ = None;
                let mut edge__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Node => {
                            if node__.is_some() {
                                return Err(serde::de::Error::duplicate_field("node"));
                            }
                            node__ = map_.next_value()?;
                        }
                        GeneratedField::Edge => {
                            if edge__.is_some() {
                                return Err(serde::de::Error::duplicate_field("edge"));
                            }
                            edge__ = map_.next_value()?;
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(TraverseItem {
                    node: node__,
                    edge: edge__,
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.TraverseItem", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for TraversePage {
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
        let mut struct_ser = serializer.serialize_struct("bywash.v1.TraversePage", len)?;
        if true {
            struct_ser.serialize_field("items", &self.items)?;
        }
        if true {
            struct_ser.serialize_field("total", &self.total)?;
        }
        if true {
            struct_ser.serialize_field("total_nodes", &self.total_nodes)?;
        }
        if true {
            struct_ser.serialize_field("total_edges", &self.total_edges)?;
        }
        if let Some(v) = self.truncated.as_ref() {
            struct_ser.serialize_field("truncated", v)?;
        }
        if true {
            struct_ser.serialize_field("instance", &self.instance)?;
        }
        if let Some(v) = self.next.as_ref() {
            struct_ser.serialize_field("next", v)?;
        }
        if true {
            struct_ser.serialize_field("duration_ms", &self.duration_ms)?;
        }
        if true {
            struct_ser.serialize_field("revision", &self.revision)?;
        }
        if true {
            struct_ser.serialize_field("epoch", &self.epoch)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for TraversePage {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "items",
            "total",
            "total_nodes",
            "totalNodes",
            "total_edges",
            "totalEdges",
            "truncated",
            "instance",
            "next",
            "duration_ms",
            "durationMs",
            "revision",
            "epoch",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Items,
            Total,
            TotalNodes,
            TotalEdges,
            Truncated,
            Instance,
            Next,
            DurationMs,
            Revision,
            Epoch,
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
                            "items" => Ok(GeneratedField::Items),
                            "total" => Ok(GeneratedField::Total),
                            "totalNodes" | "total_nodes" => Ok(GeneratedField::TotalNodes),
                            "totalEdges" | "total_edges" => Ok(GeneratedField::TotalEdges),
                            "truncated" => Ok(GeneratedField::Truncated),
                            "instance" => Ok(GeneratedField::Instance),
                            "next" => Ok(GeneratedField::Next),
                            "durationMs" | "duration_ms" => Ok(GeneratedField::DurationMs),
                            "revision" => Ok(GeneratedField::Revision),
                            "epoch" => Ok(GeneratedField::Epoch),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = TraversePage;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.TraversePage")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<TraversePage, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut items__ = None;
                let mut total__ = None;
                let mut total_nodes__ = None;
                let mut total_edges__ = None;
                let mut truncated__ = None;
                let mut instance__ = None;
                let mut next__ = None;
                let mut duration_ms__ = None;
                let mut revision__ = None;
                let mut epoch__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Items => {
                            if items__.is_some() {
                                return Err(serde::de::Error::duplicate_field("items"));
                            }
                            items__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Total => {
                            if total__.is_some() {
                                return Err(serde::de::Error::duplicate_field("total"));
                            }
                            total__ = 
                                Some(map_.next_value::<::pbjson::private::NumberDeserialize<_>>()?.0)
                            ;
                        }
                        GeneratedField::TotalNodes => {
                            if total_nodes__.is_some() {
                                return Err(serde::de::Error::duplicate_field("totalNodes"));
                            }
                            total_nodes__ = 
                                Some(map_.next_value::<::pbjson::private::NumberDeserialize<_>>()?.0)
                            ;
                        }
                        GeneratedField::TotalEdges => {
                            if total_edges__.is_some() {
                                return Err(serde::de::Error::duplicate_field("totalEdges"));
                            }
                            total_edges__ = 
                                Some(map_.next_value::<::pbjson::private::NumberDeserialize<_>>()?.0)
                            ;
                        }
                        GeneratedField::Truncated => {
                            if truncated__.is_some() {
                                return Err(serde::de::Error::duplicate_field("truncated"));
                            }
                            truncated__ = map_.next_value()?;
                        }
                        GeneratedField::Instance => {
                            if instance__.is_some() {
                                return Err(serde::de::Error::duplicate_field("instance"));
                            }
                            instance__ = Some(map_.next_value()?);
                        }
                        GeneratedField::Next => {
                            if next__.is_some() {
                                return Err(serde::de::Error::duplicate_field("next"));
                            }
                            next__ = map_.next_value()?;
                        }
                        GeneratedField::DurationMs => {
                            if duration_ms__.is_some() {
                                return Err(serde::de::Error::duplicate_field("durationMs"));
                            }
                            duration_ms__ = 
                                Some(map_.next_value::<::pbjson::private::NumberDeserialize<_>>()?.0)
                            ;
                        }
                        GeneratedField::Revision => {
                            if revision__.is_some() {
                                return Err(serde::de::Error::duplicate_field("revision"));
                            }
                            revision__ = 
                                Some(map_.next_value::<::pbjson::private::NumberDeserialize<_>>()?.0)
                            ;
                        }
                        GeneratedField::Epoch => {
                            if epoch__.is_some() {
                                return Err(serde::de::Error::duplicate_field("epoch"));
                            }
                            epoch__ = Some(map_.next_value()?);
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(TraversePage {
                    items: items__.unwrap_or_default(),
                    total: total__.unwrap_or_default(),
                    total_nodes: total_nodes__.unwrap_or_default(),
                    total_edges: total_edges__.unwrap_or_default(),
                    truncated: truncated__,
                    instance: instance__.unwrap_or_default(),
                    next: next__,
                    duration_ms: duration_ms__.unwrap_or_default(),
                    revision: revision__.unwrap_or_default(),
                    epoch: epoch__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.TraversePage", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for TraverseRequest {
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
        let mut struct_ser = serializer.serialize_struct("bywash.v1.TraverseRequest", len)?;
        if true {
            struct_ser.serialize_field("start_vertex", &self.start_vertex)?;
        }
        if let Some(v) = self.edge_collection.as_ref() {
            struct_ser.serialize_field("edge_collection", v)?;
        }
        if let Some(v) = self.direction.as_ref() {
            struct_ser.serialize_field("direction", v)?;
        }
        if let Some(v) = self.max_depth.as_ref() {
            struct_ser.serialize_field("max_depth", v)?;
        }
        if let Some(v) = self.limit.as_ref() {
            struct_ser.serialize_field("limit", v)?;
        }
        if let Some(v) = self.edge_limit.as_ref() {
            struct_ser.serialize_field("edge_limit", v)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for TraverseRequest {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "start_vertex",
            "startVertex",
            "edge_collection",
            "edgeCollection",
            "direction",
            "max_depth",
            "maxDepth",
            "limit",
            "edge_limit",
            "edgeLimit",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            StartVertex,
            EdgeCollection,
            Direction,
            MaxDepth,
            Limit,
            EdgeLimit,
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
                            "startVertex" | "start_vertex" => Ok(GeneratedField::StartVertex),
                            "edgeCollection" | "edge_collection" => Ok(GeneratedField::EdgeCollection),
                            "direction" => Ok(GeneratedField::Direction),
                            "maxDepth" | "max_depth" => Ok(GeneratedField::MaxDepth),
                            "limit" => Ok(GeneratedField::Limit),
                            "edgeLimit" | "edge_limit" => Ok(GeneratedField::EdgeLimit),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = TraverseRequest;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct bywash.v1.TraverseRequest")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<TraverseRequest, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut start_vertex__ = None;
                let mut edge_collection__ = None;
                let mut direction__ = None;
                let mut max_depth__ = None;
                let mut limit__ = None;
                let mut edge_limit__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::StartVertex => {
                            if start_vertex__.is_some() {
                                return Err(serde::de::Error::duplicate_field("startVertex"));
                            }
                            start_vertex__ = Some(map_.next_value()?);
                        }
                        GeneratedField::EdgeCollection => {
                            if edge_collection__.is_some() {
                                return Err(serde::de::Error::duplicate_field("edgeCollection"));
                            }
                            edge_collection__ = map_.next_value()?;
                        }
                        GeneratedField::Direction => {
                            if direction__.is_some() {
                                return Err(serde::de::Error::duplicate_field("direction"));
                            }
                            direction__ = map_.next_value()?;
                        }
                        GeneratedField::MaxDepth => {
                            if max_depth__.is_some() {
                                return Err(serde::de::Error::duplicate_field("maxDepth"));
                            }
                            max_depth__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::Limit => {
                            if limit__.is_some() {
                                return Err(serde::de::Error::duplicate_field("limit"));
                            }
                            limit__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::EdgeLimit => {
                            if edge_limit__.is_some() {
                                return Err(serde::de::Error::duplicate_field("edgeLimit"));
                            }
                            edge_limit__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(TraverseRequest {
                    start_vertex: start_vertex__.unwrap_or_default(),
                    edge_collection: edge_collection__,
                    direction: direction__,
                    max_depth: max_depth__,
                    limit: limit__,
                    edge_limit: edge_limit__,
                })
            }
        }
        deserializer.deserialize_struct("bywash.v1.TraverseRequest", FIELDS, GeneratedVisitor)
    }
}
